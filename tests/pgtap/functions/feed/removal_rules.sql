-- feed.removal_rules: each rule alone, at its edges

begin;
select plan(29);

-- the rules for a listing with these columns, a state with those, and a user
create function tests.rules(
    listing jsonb default '{}',
    state jsonb default null,
    blocked_tags text[] default '{}',
    distance_km double precision default null,
    max_distance double precision default null,
    seen_window interval default '30 days'
)
returns text[]
language sql
return feed.removal_rules(
    jsonb_populate_record(
        null::feed.listings,
        '{"status": "open", "created_at": "2026-01-01T00:00:00Z", "tags": ["bike", "jazz"]}'
        || listing
    ),
    jsonb_populate_record(null::feed.user_listing_states, state),
    tests.user_uid('ann'),
    blocked_tags,
    distance_km,
    max_distance,
    seen_window,
    '2026-06-01 12:00Z'
);

select is(tests.rules(), '{}', 'an open listing that the user has not seen is eligible');
select is(
    tests.rules(jsonb_build_object('status', 'closed')), '{closed}', 'a closed one is not'
);
select is(
    tests.rules('{"expires_at": "2026-06-01T12:00:00Z"}'),
    '{expired}',
    'what expires at as_of has expired'
);
select is(
    tests.rules('{"expires_at": "2026-06-01T12:00:00.000001Z"}'),
    '{}',
    'what expires a microsecond later has not'
);
select is(
    tests.rules('{"created_at": "2026-06-01T12:00:00Z"}'), '{}', 'what is posted at as_of is there'
);
select is(
    tests.rules('{"created_at": "2026-06-01T12:00:00.000001Z"}'),
    '{not_yet_created}',
    'what is posted a microsecond later is not yet'
);
select is(
    tests.rules(jsonb_build_object('poster_uid', tests.user_uid('ann'))),
    '{own_listing}',
    'nobody is shown their own'
);
select is(
    tests.rules(jsonb_build_object('poster_uid', tests.user_uid('bob'))),
    '{}',
    'another''s is fine'
);
select is(tests.rules(blocked_tags => '{jazz}'), '{blocked_tag}', 'one blocked tag is enough');
select is(tests.rules(blocked_tags => '{jaz,azz}'), '{}', 'a part of a tag is another tag');
select is(
    tests.rules('{"tags": []}', blocked_tags => '{jazz}'),
    '{}',
    'a listing without tags has no blocked one'
);
select is(
    tests.rules(distance_km => 10.001, max_distance => 10),
    '{too_far}',
    'farther than max_distance is too far'
);
select is(tests.rules(distance_km => 10, max_distance => 10), '{}', 'at max_distance is not');
select is(
    tests.rules(distance_km => 20000, max_distance => null),
    '{}',
    'without a limit nothing is too far'
);
select is(
    tests.rules(distance_km => null, max_distance => 1),
    '{}',
    'a remote listing, or any for a user without a place, is never too far'
);
select is(
    tests.rules(
        state => '{"applied_at": "2019-01-01T00:00:00Z", "is_dismissed": false,
                   "last_at": "2019-01-01T00:00:00Z"}'
    ),
    '{applied}',
    'what was applied to ever is gone'
);
select is(
    tests.rules(
        state => '{"is_dismissed": true, "dismissed_at": "2019-01-01T00:00:00Z",
                   "last_at": "2019-01-01T00:00:00Z"}'
    ),
    '{dismissed}',
    'what was dismissed ever is gone'
);
select is(
    tests.rules(
        state => '{"is_dismissed": false, "saved_at": "2019-01-01T00:00:00Z",
                   "last_at": "2019-01-01T00:00:00Z"}'
    ),
    '{}',
    'what was saved long ago is back'
);
select is(
    tests.rules(state => '{"is_dismissed": false, "last_at": "2026-05-02T12:00:00Z"}'),
    '{}',
    'what was seen 30 days ago to the microsecond is back'
);
select is(
    tests.rules(state => '{"is_dismissed": false, "last_at": "2026-05-02T12:00:00.000001Z"}'),
    '{seen_recently}',
    'a microsecond later is not'
);
select is(
    tests.rules(state => '{"is_dismissed": false, "last_at": "2026-06-01T12:00:00Z"}'),
    '{seen_recently}',
    'what was seen at as_of is seen'
);
select is(
    tests.rules(
        state => '{"is_dismissed": false, "last_at": "2026-05-31T12:00:00Z"}',
        seen_window => '1 day'
    ),
    '{}',
    'the window is the profile''s'
);
select is(
    tests.rules(
        state => '{"is_dismissed": false, "last_at": "2026-06-01T12:00:00Z"}', seen_window => '0'
    ),
    '{}',
    'a window of 0 holds nothing'
);
select is(
    tests.rules(
        jsonb_build_object(
            'status', 'closed',
            'expires_at', '2020-01-01T00:00:00Z',
            'created_at', '2027-01-01T00:00:00Z',
            'poster_uid', tests.user_uid('ann')
        ),
        '{"applied_at": "2026-05-30T00:00:00Z", "is_dismissed": true,
          "last_at": "2026-05-30T00:00:00Z"}',
        '{jazz}',
        11,
        10
    ),
    '{closed,expired,not_yet_created,own_listing,blocked_tag,too_far,applied,dismissed,'
    'seen_recently}',
    'every rule that applies is named'
);
select is(
    feed.removal_rules(
        jsonb_populate_record(
            null::feed.listings, '{"status": "open", "created_at": "2026-01-01", "tags": []}'
        ),
        null,
        null,
        '{}',
        null,
        null,
        '30 days',
        '2026-06-01'
    ),
    '{}',
    'nobody in particular, who saw nothing, may see it'
);

-- the same through the tables
select tests.user('ann', lat => 47, lon => 8, max_distance => 100);
select tests.listing('far', lat => 48, lon => 8);
select tests.listing('near', lat => 47.8, lon => 8);
select tests.listing('remote');
select tests.listing('seen');
select tests.interaction('ann', 'seen', 'view');

select results_eq(
    $$
    select l.title, c.removed_by
    from feed.candidate_listings(tests.user_uid('ann'), 'default', now()) as c
    inner join feed.listings as l using (listing_id)
    order by l.title
    $$,
    $$
    values
    ('far', '{too_far}'::text[]),
    ('near', '{}'),
    ('remote', '{}'),
    ('seen', '{seen_recently}')
    $$,
    'a degree of latitude is more than 100 km, four fifths are not'
);

select tests.user('bob', max_distance => 1);

select is_empty(
    $$
    select c.listing_id
    from feed.candidate_listings(tests.user_uid('bob'), 'default', now()) as c
    where c.removed_by <> '{}'
    $$,
    'nothing is too far from a user without a place, and what others saw is not seen'
);

select tests.user('cid', blocked_tags => '{bike}');
select tests.listing('bicycle', poster => 'cid', tags => '{bike}');

select results_eq(
    $$
    select c.removed_by
    from feed.candidate_listings(tests.user_uid('cid'), 'default', now()) as c
    where c.listing_id = tests.listing_id('bicycle')
    $$,
    $$values ('{own_listing,blocked_tag}'::text[])$$,
    'poster and tags are read from the listing'
);

select tests.interaction('cid', 'bicycle', 'view');

select results_eq(
    $$
    select c.removed_by
    from feed.candidate_listings(tests.user_uid('cid'), 'default', now()) as c
    where c.listing_id = tests.listing_id('bicycle')
    $$,
    $$values ('{own_listing,blocked_tag}'::text[])$$,
    'a poster''s own views are not remembered'
);

select finish();
rollback;
