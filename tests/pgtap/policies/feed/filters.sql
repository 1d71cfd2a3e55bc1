-- A function in a filter sees no row that its caller may not see.
--
-- PostgreSQL puts policies before any function that could tell; a cheap one must not overtake
-- them, through the tables or through the views of api.

begin;
select plan(9);

create table tests.overheard (words text);

-- Cheaper than any comparison, so the planner would have it first if it might.
create function tests.overhear(words text)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
cost 0.0001
as $$
begin
    insert into tests.overheard values (overhear.words);
    return true;
end;
$$;

grant select on tests.overheard to public;

select tests.user('ann', lat => 47, lon => 8, max_distance => 10, preferred_tags => '{needle}');
select tests.user('bob', lat => 46, lon => 7, max_distance => 20, preferred_tags => '{thread}');
select tests.listing('kayak', poster => 'pat');
select tests.listing('canoe', poster => 'pat');
select tests.interaction('ann', 'kayak', 'save', metadata => '{"note": "needle"}');
select tests.interaction('bob', 'canoe', 'save', metadata => '{"note": "thread"}');

select tests.act_as('bob');

select results_eq(q.query, $$values (1::bigint)$$, q.description)
from
    (
        values
        (
            'select count(*) from feed.users as u where tests.overhear(u::text)',
            'bob finds their own row'
        ),
        (
            'select count(*) from feed.user_feed_preferences as p where tests.overhear(p::text)',
            'their preferences'
        ),
        (
            'select count(*) from feed.user_interactions as i where tests.overhear(i::text)',
            'their interactions'
        ),
        (
            'select count(*) from feed.user_listing_states as s where tests.overhear(s::text)',
            'their states'
        ),
        (
            'select count(*) from api.preferences as p where tests.overhear(p::text)',
            'through the view, their preferences'
        ),
        (
            'select count(*) from api.my_interactions as i where tests.overhear(i::text)',
            'their interactions'
        ),
        (
            'select count(*) from api.my_listings as l where tests.overhear(l::text)',
            'and their listings'
        )
    ) as q (query, description);

select is(
    (select count(*) from tests.overheard), 7::bigint, 'each time the function saw one row'
);
select is_empty(
    format(
        $$select words from tests.overheard where words ~ 'needle|kayak|%s'$$,
        tests.user_uid('ann')
    ),
    'and none of ann''s'
);

select finish();
rollback;
