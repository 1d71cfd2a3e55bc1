-- feed.rule_text: a sentence for every rule

begin;
select plan(10);

select ok(feed.rule_text(r.rule) ~ '^[A-Z].* .*\.$', r.rule || ' has its sentence')
from unnest(
        array[
            'closed', 'expired', 'not_yet_created', 'own_listing', 'blocked_tag', 'too_far',
            'applied', 'dismissed', 'seen_recently'
        ]
    ) as r (rule);

select is(feed.rule_text('no such rule'), null, 'what is no rule has none');

select finish();
rollback;
