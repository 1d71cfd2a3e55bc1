-- feed.state_count: the count that belongs to a type

begin;
select plan(7);

select
    is(
        feed.state_count(
            jsonb_populate_record(
                null::feed.user_listing_states,
                '{"view_count": 1, "click_count": 2, "apply_count": 3, "save_count": 4,
                  "share_count": 5, "dismiss_count": 6}'
            ),
            t.type
        ),
        t.n::integer,
        'the count of ' || t.type || ' is ' || t.n
    )
from unnest(enum_range(null::feed.interaction_type)) with ordinality as t (type, n);

select is(
    feed.state_count(null::feed.user_listing_states, 'view'), null, 'no state has no count'
);

select finish();
rollback;
