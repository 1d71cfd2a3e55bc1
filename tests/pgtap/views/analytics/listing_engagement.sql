-- analytics.listing_engagement, analytics.job_health

begin;
select plan(6);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle');
select tests.listing('kayak');
select tests.interaction(u, 'bicycle', t.type, '2026-06-01 10:00Z')
from unnest(array['ann', 'bob']) as u
cross join unnest(array['click', 'view']::feed.interaction_type[]) as t (type);
select tests.interaction('ann', 'bicycle', 'apply', '2026-06-01 10:00Z');

select tests.act_as_analyst();

select is(
    (
        select to_jsonb(e) - 'listing_id' - 'created_at'
        from analytics.listing_engagement as e
        where e.title = 'bicycle'
    ),
    '{"title": "bicycle", "status": "open", "view_count": 2, "click_count": 2, "apply_count": 1,
      "save_count": 0, "share_count": 0, "dismiss_count": 0, "engagement_score": 0,
      "trending_score": 0, "apply_rate": 0.5}'::jsonb,
    'counters, scores and the rate of applications'
);
select is(
    (
        select row(e.view_count, e.engagement_score, e.apply_rate)::text
        from analytics.listing_engagement as e
        where e.title = 'kayak'
    ),
    '(0,0,)',
    'a listing that nobody touched is there, with zeros and no rate'
);

reset role;
insert into jobs.runs (job, started_at, finished_at, rows)
values
('train_models', '2026-06-01 02:00Z', '2026-06-01 02:20Z', 7),
('train_models', '2026-05-31 02:00Z', '2026-05-31 02:01Z', 7),
('refresh_trending', '2026-06-01 02:00Z', '2026-06-01 02:00:01Z', 7),
('keep_house', '2026-06-01 02:00Z', null, null);
select tests.act_as_analyst();

select results_eq(
    $$select job, state, duration, is_over_target from analytics.job_health order by job$$,
    $$
    values
    ('fit_profile', null, null::interval, null::boolean),
    ('keep_house', 'failed', null, null),
    ('refresh_analytics', null, null, null),
    ('refresh_engagement', null, null, null),
    ('refresh_trending', 'finished', '1 second', false),
    ('train_models', 'finished', '20 minutes', true),
    ('update_models', null, null, null)
    $$,
    'the latest run of each job, whether over its target, failed, or none yet'
);

-- feed.engagement_weights, feed.expected_engagement
reset role;
select results_eq(
    'select * from feed.engagement_weights',
    $$values (1::smallint, 2::smallint, 10::smallint, 5::smallint, 3::smallint, -5::smallint)$$,
    'the weights in one row are those of section 4'
);

insert into feed.engagement_base (listing_id, view_count, dismiss_count)
values (tests.listing_id('bicycle'), 40, 2), (tests.listing_id('kayak'), 1, 0);

select results_eq(
    $$
    select l.title, e.view_count, e.click_count, e.apply_count, e.dismiss_count
    from feed.expected_engagement as e
    inner join feed.listings as l using (listing_id)
    order by l.title
    $$,
    $$values ('bicycle', 42, 2, 1, 2), ('kayak', 1, 0, 0, 0)$$,
    'what is expected is base + recount'
);
select results_eq(
    $$
    select l.title
    from tests.wrong_counters as w
    inner join feed.listings as l using (listing_id)
    order by l.title
    $$,
    $$values ('bicycle'), ('kayak')$$,
    'and counters that differ are found'
);

select finish();
rollback;
