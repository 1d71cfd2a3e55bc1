-- feed.recency_score: 0.5^(age / half-life)

begin;
select plan(8);

select is_near(feed.recency_score('0', '7 days'), 1, 'a listing just posted scores 1');
select is_near(feed.recency_score('7 days', '7 days'), 0.5, 'after a half-life it scores one half');
select is_near(feed.recency_score('14 days', '7 days'), 0.25, 'after two, one quarter');
select is_near(
    feed.recency_score('84 hours', '7 days'), 0.7071067811865476, 'after half of one, √½'
);
select is_near(feed.recency_score('-1 day', '7 days'), 1, 'an age below 0 is 0');
select is_near(feed.recency_score('1 hour', '30 minutes'), 0.25, 'the half-life is the profile''s');
select is_near(
    feed.recency_score('400 years', '1 minute'), 0, 'great age scores 0 and does not underflow'
);
select is_near(
    feed.recency_score('1 day', '7 days'), 0.9057236642639067, 'a day costs a tenth'
);

select finish();
rollback;
