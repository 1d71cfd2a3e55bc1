-- feed.drop_outlived_partition: the month goes, what it counted and excluded stays

begin;
select plan(24);

select tests.user(name)
from unnest(array['ann', 'bob']) as name;
select tests.listing(name, created_at => now() - interval '1 year')
from unnest(array['bicycle', 'kayak', 'skis', 'tent']) as name;

create function tests.long_ago(days integer default 0)
returns timestamptz
language sql
return date_trunc('month', now(), 'UTC') - interval '4 months' + days * interval '1 day';

create function tests.month_of(parent text)
returns regclass
language sql
return (
    'feed.' || parent || to_char(tests.long_ago() at time zone 'UTC', '_YYYY_MM')
)::regclass;

select tests.interaction('ann', 'bicycle', 'view', tests.long_ago(1), 'long ago');
select tests.interaction('ann', 'bicycle', 'apply', tests.long_ago(2));
select tests.interaction('ann', 'kayak', 'dismiss', tests.long_ago(3), 'dismissal');
select tests.interaction('bob', 'skis', 'view', tests.long_ago(4));
select tests.interaction('ann', 'tent', 'save', now() - interval '1 hour', 'lately');

insert into feed.feed_impressions (
    ticket, user_uid, listing_id, position, score, profile_name, created_at
)
values (
    'a', tests.user_uid('ann'), tests.listing_id('tent'), 1, 0.5, 'default', tests.long_ago()
);

select ok(
    not feed.drop_outlived_partition(tests.month_of('user_interactions')),
    'while retention is off nothing is dropped'
);

update feed.data_lifetimes
set
    interaction_lifetime = '2 months',
    impression_lifetime = '2 months';

create temporary table before_it as
select
    m.listing_id,
    to_jsonb(m) as counters
from feed.engagement_metrics as m;
create temporary table states_before as
select s.* from feed.user_listing_states as s;

select ok(
    feed.drop_outlived_partition(tests.month_of('user_interactions')), 'the month is dropped'
);
select is(
    to_regclass(
        'feed.user_interactions' || to_char(tests.long_ago() at time zone 'UTC', '_YYYY_MM')
    ),
    null,
    'and is no more'
);
select results_eq(
    'select event_id from feed.user_interactions',
    $$values (tests.event_id('lately'))$$,
    'the log has the others'
);
select results_eq(
    'select event_id from feed.interaction_keys',
    $$values (tests.event_id('lately'))$$,
    'and so have the keys'
);
select is_empty(
    $$
    select to_jsonb(m) from feed.engagement_metrics as m
    except
    select b.counters from before_it as b
    $$,
    'no counter has changed'
);
select is_empty('select * from tests.wrong_counters', 'and each is base + recount');
select is_empty(
    $$
    select * from feed.user_listing_states
    except
    select * from states_before
    $$,
    'no state has changed'
);
select is((select count(*) from states_before), 4::bigint, 'of which there are some');

select tests.act_as('ann');

select results_eq(
    'select title from api.get_feed() order by title',
    $$values ('skis')$$,
    'what I applied to or dismissed stays out of my feed'
);

-- what counts once ever has counted
select api.track_interaction(tests.listing_id('bicycle'), 'apply', null, tests.event_id('again'));
select api.track_interaction(tests.listing_id('kayak'), 'dismiss', null, tests.event_id('again 2'));

reset role;

select is(tests.counters('bicycle'), '1 view 1 apply', 'a second application does not count');
select is(tests.counters('kayak'), '1 dismiss', 'nor a second dismissal');
select is_empty('select * from tests.wrong_counters', 'in the recount neither');

select tests.act_as('ann');
select api.retract_interaction(tests.event_id('again'));
select api.retract_interaction(tests.event_id('again 2'));

select is_empty(
    $$select from api.get_feed() where title in ('bicycle', 'kayak')$$,
    'when these are taken back, the first ones still exclude'
);

reset role;

select is(
    tests.counters('bicycle') || ', ' || tests.counters('kayak'),
    '1 view 1 apply, 1 dismiss',
    'and still count'
);
select is_empty('select * from tests.wrong_counters', 'as the recount says');

select tests.act_as('ann');

select is_refused(
    $$select api.retract_interaction(tests.event_id('dismissal'))$$,
    'PT404',
    'you have no event',
    'an event whose month is gone cannot be taken back'
);

reset role;

-- what is taken back now may be all that kept a listing away
select tests.act_as('bob');

select ok(
    'skis' in (select title from api.get_feed()), 'what I saw in a month that is gone is back'
);

select api.track_interaction(
    tests.listing_id('skis'), 'dismiss', null, tests.event_id('of today')
);

select ok('skis' not in (select title from api.get_feed()), 'dismissed today it is away');

select api.retract_interaction(tests.event_id('of today'));

select ok('skis' in (select title from api.get_feed()), 'and taken back it is back');

reset role;

select is(
    (
        select s.last_at < feed.log_start() and s.view_count = 1 and s.dismiss_count = 0
        from feed.user_listing_states as s
        inner join feed.users as u using (user_no)
        where u.user_uid = tests.user_uid('bob')
    ),
    true,
    'the view before the log is the latest that is known'
);

-- impressions
select ok(
    feed.drop_outlived_partition(tests.month_of('feed_impressions')), 'a month of impressions goes'
);
select is_empty('select from feed.feed_impressions', 'with what was in it');
select ok(
    not feed.drop_outlived_partition('feed.users'), 'what is no such month is left alone'
);

select finish();
rollback;
