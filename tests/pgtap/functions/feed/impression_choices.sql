-- feed.impression_choices: what was shown, of what it was made, and whether it was chosen

begin;
select plan(10);

select tests.user('ann');
select tests.user('bob');
select tests.listing('listing ' || n, created_at => '2026-05-01 01:00Z')
from generate_series(1, 9) as n;
insert into feed.ranking_profiles (profile_name, location_weight, tag_weight)
values ('heavier', 0.20, 0.25);
insert into feed.ranking_profiles (profile_name, recency_half_life)
values ('slower', '30 days');

create function tests.shown(
    listing integer,
    profile_name text default 'default',
    components real[] default '{0.25,0.5,0,0,0,0,1}',
    at timestamptz default '2026-06-01 08:00Z',
    user_name text default 'ann'
)
returns void
language plpgsql
as $$
begin
    perform tests.impression(user_name, 'listing ' || listing, at, listing, profile_name);
    update feed.feed_impressions as i
    set components = shown.components
    where
        i.user_uid = tests.user_uid(user_name)
        and i.listing_id = tests.listing_id('listing ' || listing)
        and i.created_at = at;
end;
$$;

create function tests.choices(impression_limit integer default 1000)
returns table (listing integer, user_no integer, components real[], is_chosen boolean)
language sql
begin atomic
    select c.shown_position, c.user_no, c.components, c.is_chosen
    from feed.impression_choices(
            '2026-06-01 00:00Z', '2026-06-08 00:00Z', choices.impression_limit
        ) as c
    order by c.shown_at, c.user_no, c.shown_position;
end;

select tests.shown(n) from generate_series(1, 6) as n;
select tests.interaction('ann', 'listing 1', 'click', '2026-06-01 08:05Z');
select tests.interaction('ann', 'listing 2', 'save', '2026-06-02 08:05Z');
select tests.interaction('ann', 'listing 3', 'share', '2026-06-03 08:05Z');
select tests.interaction('ann', 'listing 4', 'apply', '2026-06-04 08:05Z');
select tests.interaction('ann', 'listing 5', 'view', '2026-06-01 08:05Z');
select tests.interaction('ann', 'listing 6', 'dismiss', '2026-06-01 08:05Z');

select results_eq(
    'select listing, is_chosen from tests.choices()',
    $$values (1, true), (2, true), (3, true), (4, true), (5, false), (6, false)$$,
    'clicked, saved, shared and applied to is chosen; looked at and dismissed is not'
);
select results_eq(
    'select distinct user_no, components[1:7] from tests.choices()',
    $$values (tests.user_no('ann'), '{0.25,0.5,0,0,0,0,1}'::real[])$$,
    'to whom, and of what it was made'
);

-- not by whoever, nor before, nor too late
delete from feed.feed_impressions;
select tests.shown(1);
select tests.shown(2);
select tests.shown(3);
select tests.shown(7, user_name => 'bob');
select tests.interaction('ann', 'listing 7', 'click', '2026-06-01 08:05Z');
update analytics.refresh_parameters
set attribution_window = '1 hour';

select results_eq(
    'select listing, is_chosen from tests.choices()',
    $$values (1, true), (2, false), (3, false), (7, false)$$,
    'chosen by the user within the window of attribution'
);

select tests.shown(1, at => '2026-06-01 08:04Z');

select results_eq(
    'select listing, is_chosen from tests.choices() where listing = 1',
    $$values (1, false), (1, true)$$,
    'a choice belongs to the latest impression before it'
);

-- which impressions
delete from feed.feed_impressions;
select tests.shown(1, 'heavier');
select tests.shown(2, 'slower');
select tests.impression('ann', 'listing 3', '2026-06-01 08:00Z', 3);
select tests.shown(4, at => '2026-06-01 00:00Z');
select tests.shown(5, at => '2026-06-08 00:00Z');
select tests.shown(6, at => '2026-06-08 00:00:00.000001Z');

select results_eq(
    'select listing from tests.choices()',
    $$values (1), (5)$$,
    'of the time, with components, by profiles that differ from default in weights alone'
);
select results_eq(
    'select listing from tests.choices(1)', $$values (5)$$, 'the latest, if there are too many'
);

-- as many components as there are
delete from feed.feed_impressions;
select tests.shown(1, components => '{0.25,null,0,0,0,0,1}');
select tests.shown(2, components => '{0.25,0.5}');
select tests.shown(3, components => array_fill(0.5::real, array[32]));

select results_eq(
    'select cardinality(components) from tests.choices()',
    'select cardinality(feed.component_names()) from generate_series(1, 3)',
    'always as many as have a name'
);
select results_eq(
    $$select components[1], components[2] from tests.choices() where listing = 1$$,
    $$values (0.25::real, 'NaN'::real)$$,
    'one that was not computed is no number'
);
select results_eq(
    $$select components[2], components[3] from tests.choices() where listing = 2$$,
    $$values (0.5::real, 'NaN'::real)$$,
    'nor is one that the ticket did not have'
);
select is_empty(
    $$select from feed.impression_choices('2026-06-01 00:00Z', '2026-06-08 00:00Z', 0)$$,
    'none, if none are asked for'
);

select finish();
rollback;
