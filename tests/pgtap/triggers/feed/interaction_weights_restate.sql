-- feed.tg_interaction_weights__restate: a new weight holds for what was done before

begin;
select plan(6);

select tests.user('ann');
select tests.user('bob');
select tests.listing('bicycle');
select tests.listing('kayak');
select tests.interaction('ann', 'bicycle', 'view');
select tests.interaction('ann', 'bicycle', 'save');
select tests.interaction('bob', 'bicycle', 'share');
select tests.interaction('bob', 'kayak', 'dismiss');
update feed.engagement_metrics
set is_stale = false;

update feed.interaction_weights
set weight = 8
where type = 'view';

select results_eq(
    $$
    select u.user_uid, l.title, s.strongest_weight::integer
    from feed.user_listing_states as s
    inner join feed.users as u using (user_no)
    inner join feed.listings as l using (listing_no)
    order by l.title, s.strongest_weight
    $$,
    $$
    values
    (tests.user_uid('bob'), 'bicycle', 3),
    (tests.user_uid('ann'), 'bicycle', 8),
    (tests.user_uid('bob'), 'kayak', -5)
    $$,
    'a raised weight becomes the strongest where it is'
);
select is(
    (
        select count(*) from feed.engagement_metrics as m
        where m.is_stale
    ),
    2::bigint,
    'every counter waits for the hourly job'
);

update feed.interaction_weights
set weight = 1
where type = 'view';

select is(
    (
        select s.strongest_weight::integer
        from feed.user_listing_states as s
        where s.user_no = tests.user_no('ann')
    ),
    5,
    'a lowered weight gives way to the next'
);

update feed.interaction_weights
set weight = -weight;

select results_eq(
    $$
    select s.strongest_weight::integer
    from feed.user_listing_states as s
    order by s.strongest_weight
    $$,
    $$values (-3), (-1), (5)$$,
    'all weights at once'
);

select tests.interaction('ann', 'kayak', 'dismiss');

select is(
    (
        select s.strongest_weight::integer
        from feed.user_listing_states as s
        where s.user_no = tests.user_no('ann') and s.listing_no = tests.listing_no('kayak')
    ),
    5,
    'the new weights hold for what comes'
);

create temporary table places as
select s.ctid as place
from feed.user_listing_states as s;

update feed.interaction_weights
set weight = weight;

select is_empty(
    $$select s.ctid from feed.user_listing_states as s except select p.place from places as p$$,
    'weights that stay the same write no state'
);

select finish();
rollback;
