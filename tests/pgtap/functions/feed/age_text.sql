-- feed.age_text: one unit, rounded down

begin;
select plan(13);

select is(feed.age_text(c.age::interval), c.words, c.age || ' ago is "' || c.words || '"')
from (
    values
    ('-3 seconds', 'just now'),
    ('59 seconds', 'just now'),
    ('60 seconds', '1 minute ago'),
    ('59 minutes 59 seconds', '59 minutes ago'),
    ('60 minutes', '1 hour ago'),
    ('119 minutes', '1 hour ago'),
    ('23 hours 59 minutes', '23 hours ago'),
    ('24 hours', '1 day ago'),
    ('59 days', '59 days ago'),
    ('65 days', '2 months ago'),
    ('729 days', '23 months ago'),
    ('730 days', '2 years ago'),
    ('3700 days', '10 years ago')
) as c (age, words);

select finish();
rollback;
