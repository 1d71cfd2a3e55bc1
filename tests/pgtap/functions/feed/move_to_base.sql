-- feed.move_to_base: what counts, of one user or of a span of time

begin;
select plan(4);

select tests.user(name)
from unnest(array['ann', 'bob']) as name;
select tests.listing('bicycle', poster => 'pat');
select tests.listing('kayak');

select tests.interaction('ann', 'bicycle', 'view', '2026-03-31 22:10Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-03-31 22:50Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-03-31 23:59:59.999999Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-04-01 00:00Z');
select tests.interaction('ann', 'kayak', 'apply', '2026-03-05 10:00Z');
select tests.interaction('ann', 'kayak', 'apply', '2026-04-05 10:00Z');
select tests.interaction('bob', 'bicycle', 'dismiss', '2026-03-05 10:00Z');
select tests.interaction('bob', 'kayak', 'apply', '2026-04-05 10:00Z');
select tests.interaction('pat', 'bicycle', 'save', '2026-03-05 10:00Z');

create function tests.base(listing_name text)
returns jsonb
language sql
return (
    select to_jsonb(b) - 'listing_id' from feed.engagement_base as b
    where b.listing_id = tests.listing_id(listing_name)
);

create function tests.counts(
    view_count integer default 0, apply_count integer default 0, dismiss_count integer default 0
)
returns jsonb
language sql
return jsonb_build_object(
    'view_count', view_count,
    'click_count', 0,
    'apply_count', apply_count,
    'save_count', 0,
    'share_count', 0,
    'dismiss_count', dismiss_count
);

select feed.move_to_base('2026-02-28 23:59:59.999999Z', '2026-03-31 23:59:59.999999Z');

select is(
    tests.base('bicycle'),
    tests.counts(view_count => 2, dismiss_count => 1),
    'one a user and hour, to the last instant, and none of the poster''s own'
);
select is(
    tests.base('kayak'), tests.counts(apply_count => 1), 'the first application, not the second'
);

select feed.move_to_base('-infinity', 'infinity', tests.user_uid('bob'));

select is(
    tests.base('bicycle'),
    tests.counts(view_count => 2, dismiss_count => 2),
    'of one user what counts of theirs, added to what is there'
);
select is(tests.base('kayak'), tests.counts(apply_count => 2), 'for each listing');

select finish();
rollback;
