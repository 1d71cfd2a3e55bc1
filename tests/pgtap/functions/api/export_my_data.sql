-- api.export_my_data: everything of mine, nothing of anybody else

begin;
select plan(24);

select tests.user(
    'ann', lat => 47, lon => 8, max_distance => 10, preferred_tags => '{jazz}'
);
select tests.user('bob', lat => 46, lon => 7, max_distance => 20);
select tests.user('new');
select tests.listing('bicycle', poster => 'ann', lat => 47, lon => 8);
select tests.listing('kayak', poster => 'bob');
select tests.interaction('ann', 'kayak', 'save', event => 'of ann', metadata => '{"a": 1}');
select tests.interaction('bob', 'bicycle', 'save', event => 'of bob');
select tests.user_vector('ann', '{1}', '{"jazz": 2}');
select tests.user_vector('bob', '{1}', '{"rock": 2}');
select tests.neighbors('ann', array['bob'], array[0.5]);
select tests.neighbors('bob', array['new', 'ann'], array[0.75, 0.25]);

insert into feed.feed_impressions (ticket, user_uid, listing_id, position, score, profile_name)
values
('ticket of ann', tests.user_uid('ann'), tests.listing_id('kayak'), 1, 0.5, 'default'),
('ticket of bob', tests.user_uid('bob'), tests.listing_id('bicycle'), 1, 0.5, 'default');

-- Where something of a user stands, and under which name it is exported.
create temporary table places (relation text, "column" text, key text);
grant select on places to public;
insert into places
values
('feed.feed_impressions', 'user_uid', 'impressions'),
('feed.interaction_keys', 'user_uid', 'interaction_keys'),
('feed.listings', 'poster_uid', 'listings'),
('feed.posters', 'poster_uid', 'poster'),
('feed.user_feed_preferences', 'user_uid', 'preferences'),
('feed.user_interactions', 'user_uid', 'interactions'),
('feed.user_listing_states', 'user_no', 'listing_states'),
('feed.users', 'user_no', 'user'),
('feed.users', 'user_uid', 'user'),
('ml.user_neighbors', 'neighbor_nos', 'similar_to_users'),
('ml.user_neighbors', 'user_no', 'similar_users'),
('ml.user_vectors', 'user_no', 'learned');

select results_eq(
    $$
    select
        c.oid::regclass::text,
        a.attname::text collate "default"
    from pg_class as c
    inner join pg_attribute as a on c.oid = a.attrelid
    where
        c.relnamespace in ('feed'::regnamespace, 'ml'::regnamespace, 'jobs'::regnamespace)
        and c.relkind in ('r', 'p', 'm')
        and not c.relispartition
        and a.attnum > 0
        and a.attname ~ '(user|poster|neighbor|member)_?(uid|no|nos|uids)$'
        -- The listings once more, as the engines read them: digests at once, blocks within
        -- minutes. And
        -- the neighbors of listings, which are listings.
        and c.oid not in (
            'feed.listing_blocks'::regclass,
            'feed.listing_changes'::regclass,
            'feed.listing_digests'::regclass,
            'ml.listing_neighbors'::regclass
        )
    order by 1, 2
    $$,
    'select relation, "column" from places order by 1, 2',
    'these are all the columns that name a user'
);

create temporary table exported (of text, document jsonb);
grant all on exported to public;

select tests.act_as('ann');
insert into exported
values ('ann', api.export_my_data());

reset role;

select is_empty(
    $$
    select key from places
    where (select coalesce(document -> key, '[]') in ('[]', 'null') from exported)
    $$,
    'each is exported, and none is empty'
);
select is(exported.document #> c.path, c.expected, c.description)
from exported
cross join
    (
        values
        ('{user_uid}'::text[], to_jsonb(tests.user_uid('ann')), 'whose data they are'),
        ('{user,lat}', '47', 'where I am'),
        ('{user,lon}', '8', 'in degrees'),
        ('{user,user_uid}', to_jsonb(tests.user_uid('ann')), 'my row'),
        ('{preferences,max_distance}', '10', 'what I asked for'),
        ('{interactions,0,event_id}', to_jsonb(tests.event_id('of ann')), 'what I did'),
        ('{interactions,0,metadata}', '{"a": 1}', 'with what came along'),
        ('{interaction_keys,0,event_id}', to_jsonb(tests.event_id('of ann')), 'its key'),
        ('{listing_states,0,listing_id}', to_jsonb(tests.listing_id('kayak')), 'the listing'),
        ('{listing_states,0,save_count}', '1', 'how often'),
        ('{impressions,0,ticket}', '"ticket of ann"', 'what was shown'),
        ('{learned,0,tag_preference}', '{"jazz": 2}', 'what was learned'),
        ('{learned,0,feature_vector}', '[1]', 'as numbers'),
        ('{similar_users,0,similarity}', '0.5', 'how near my neighbors are'),
        ('{similar_to_users,0,similarity}', '0.25', 'and I to those who have me'),
        ('{poster,poster_uid}', to_jsonb(tests.user_uid('ann')), 'me as a poster'),
        ('{listings,0,title}', '"bicycle"', 'what I posted'),
        ('{listings,0,lat}', '47', 'where it is')
    ) as c (path, expected, description);
select is_empty(
    $$
    select n.name
    from exported
    cross join
        (
            values
            ('bob', tests.user_uid('bob')::text),
            ('new', tests.user_uid('new')::text),
            ('event', tests.event_id('of bob')::text),
            ('ticket', 'ticket of bob'),
            ('tag', 'rock')
        ) as n (name, needle)
    where position(n.needle in document::text) > 0
    $$,
    'nothing of anybody else'
);

-- who may
select tests.act_as('stranger');

select is(
    api.export_my_data() - array['user_uid', 'exported_at'],
    '{
        "user": null, "preferences": null, "interactions": [], "interaction_keys": [],
        "listing_states": [], "impressions": [], "learned": [], "similar_users": [],
        "similar_to_users": [], "poster": null, "listings": []
    }',
    'of somebody not known nothing is held'
);
select is_refused(
    $$select api.export_my_data(tests.user_uid('ann'))$$,
    'PT403',
    'somebody else',
    'nobody exports another''s data'
);

select tests.act_as_service();

select is(
    api.export_my_data(tests.user_uid('ann')) - 'exported_at',
    (select document - 'exported_at' from exported),
    'the application does, for anybody known'
);

select finish();
rollback;
