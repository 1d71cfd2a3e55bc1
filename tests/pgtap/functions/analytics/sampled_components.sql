-- analytics.sampled_components, and the view component_distribution

begin;
select plan(6);

-- two users without a place or a past, three listings of now; a profile of its own
select tests.user('ann');
select tests.user('bob');
select tests.listing(n) from unnest(array['bicycle', 'kayak', 'tandem']) as n;
insert into feed.ranking_profiles (profile_name, location_weight, tag_weight)
values ('near', 0.45, 0);
-- one that nobody may ask for is in no feed
insert into feed.ranking_profiles (profile_name, is_offered)
values ('lost', false);

create temporary table sampled as
select * from analytics.sampled_components(now());

select results_eq(
    $$
    select profile_name, count(distinct component), count(*), sum(listing_count)::bigint
    from sampled group by profile_name order by profile_name
    $$,
    $$values ('default', 8::bigint, 160::bigint, 48::bigint), ('near', 8, 160, 48)$$,
    'the score and seven components of six rows, in twenty buckets, by profile'
);
select results_eq(
    $$
    select component, bucket_no::integer, listing_count from sampled
    where profile_name = 'default' and listing_count > 0
    and component in ('location', 'recency', 'collaborative')
    order by component
    $$,
    $$
    values
    ('collaborative', 0, 6::bigint),
    ('location', 10, 6),
    ('recency', 19, 6)
    $$,
    'an unknown place is 0.5; what is of now is 1, and in the last bucket'
);
-- .25·.5 + .10·1 + .10·poster and .45·.5 + …: 0.1 apart, which is two buckets
select is(
    (
        select
            (max(s.bucket_no) filter (where s.profile_name = 'near'))
            - (max(s.bucket_no) filter (where s.profile_name = 'default'))::integer
        from sampled as s
        where s.component = 'score' and s.listing_count > 0
    ),
    2,
    'each profile''s own scores'
);

insert into analytics.component_counts
select s.*, now() from sampled as s;
select results_eq(
    $$
    select bucket_low, bucket_high, listing_count, share from analytics.component_distribution
    where profile_name = 'default' and component = 'location' and listing_count > 0
    $$,
    $$
    values (0.5::double precision, 0.55::double precision, 6::bigint, 1::double precision)
    $$,
    'the view has the bounds of the buckets and shares'
);

update analytics.refresh_parameters
set
    sample_user_count = 1,
    sample_feed_length = 2;
select is(
    (
        select sum(s.listing_count) from analytics.sampled_components(now()) as s
        where s.profile_name = 'default' and s.component = 'score'
    ),
    2::numeric,
    'one user''s two best, if so wished'
);
update feed.listings set status = 'closed';
select is_empty(
    'select * from analytics.sampled_components(now())', 'nothing of feeds that are empty'
);

select finish();
rollback;
