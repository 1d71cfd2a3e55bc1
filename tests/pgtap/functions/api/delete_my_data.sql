-- api.delete_my_data: all of mine is gone, the counters and everybody else's stay

begin;
select plan(22);

select tests.user('ann', lat => 47, lon => 8, max_distance => 10);
select tests.user('bob');
select tests.user('cid');
select tests.listing(
    'bicycle', poster => 'ann', tags => '{red}', lat => 47, lon => 8, compensation => 5,
    currency => 'CHF', external_id => 'b-1'
);
select tests.listing('kayak', poster => 'bob');
select tests.listing('skis', poster => 'bob');
select tests.interaction('ann', 'kayak', 'view', now() - interval '2 hours');
select tests.interaction('ann', 'kayak', 'view', now() - interval '2 hours');
select tests.interaction('ann', 'kayak', 'apply', now() - interval '40 days');
select tests.interaction('ann', 'kayak', 'apply');
select tests.interaction('ann', 'skis', 'dismiss');
select tests.interaction('ann', 'bicycle', 'view');
select tests.interaction('bob', 'bicycle', 'save');
select tests.interaction('cid', 'kayak', 'save');
select tests.user_vector('ann', '{1}');
select tests.user_vector('bob', '{1}');
select tests.neighbors('ann', array['bob'], array[0.5]);
select tests.neighbors('bob', array['cid', 'ann'], array[0.75, 0.25]);

insert into feed.feed_impressions (ticket, user_uid, listing_id, position, score, profile_name)
values
('a', tests.user_uid('ann'), tests.listing_id('kayak'), 1, 0.5, 'default'),
('b', tests.user_uid('bob'), tests.listing_id('bicycle'), 1, 0.5, 'default');

create temporary table before_it as
select
    m.listing_id,
    to_jsonb(m) as counters
from feed.engagement_metrics as m;
create temporary table ann as
select tests.user_no('ann') as user_no;
grant select on ann to public;

create temporary table of_bob (document jsonb);
grant all on of_bob to public;

select tests.act_as('bob');
insert into of_bob
values (api.export_my_data() - array['exported_at', 'similar_users', 'similar_to_users']);

select tests.act_as('ann');

select is_refused(
    $$select api.delete_my_data(tests.user_uid('bob'))$$,
    'PT403',
    'somebody else',
    'nobody deletes another''s data'
);
select is(
    api.delete_my_data(),
    jsonb_build_object(
        'user_uid', tests.user_uid('ann'),
        'status', 'deleted',
        'interactions', 6,
        'impressions', 1,
        'listings', 1
    ),
    'one call deletes all, and says how much'
);
select is(
    api.export_my_data() - array['user_uid', 'exported_at'],
    '{
        "user": null, "preferences": null, "interactions": [], "interaction_keys": [],
        "listing_states": [], "impressions": [], "learned": [], "similar_users": [],
        "similar_to_users": [], "poster": null, "listings": []
    }',
    'nothing is held any more'
);
select is(
    api.delete_my_data() ->> 'status', 'nothing held', 'to delete again is no error'
);

reset role;

-- The whole database is searched, whatever columns it has.
create function tests.mentions(needle text)
returns setof text
language plpgsql
as $$
declare
    relation regclass;
    is_found boolean;
begin
    for relation in
        select c.oid from pg_class as c
        where
            c.relnamespace::regnamespace::text in ('feed', 'ml', 'jobs', 'ops', 'analytics')
            and c.relkind in ('r', 'p', 'm')
            and not c.relispartition
    loop
        execute format(
            'select exists (select from %s as t where position(%L in t::text) > 0)',
            relation,
            needle
        )
        into is_found;

        if is_found then
            return next relation::text;
        end if;
    end loop;
end;
$$;

select is_empty(
    $$select tests.mentions(tests.user_uid('ann')::text)$$, 'no row of any table has my id'
);
select isnt_empty(
    $$select tests.mentions(tests.user_uid('bob')::text)$$, 'where others have theirs'
);
select is_empty(
    $$
    select n.user_no from ml.user_neighbors as n
    cross join ann as a
    where n.user_no = a.user_no or a.user_no = any(n.neighbor_nos)
    union all
    select v.user_no from ml.user_vectors as v
    inner join ann using (user_no)
    union all
    select s.user_no from feed.user_listing_states as s
    inner join ann using (user_no)
    $$,
    'nor my number, on either side'
);
select results_eq(
    $$select neighbor_nos, similarities from ml.user_neighbors$$,
    $$select array[tests.user_no('cid')], array[0.75]::real[]$$,
    'the neighbors of others are without me'
);

-- counters
select is_empty(
    $$
    select to_jsonb(m) from feed.engagement_metrics as m
    except
    select b.counters from before_it as b
    $$,
    'no counter has changed'
);
select is(
    tests.counters('kayak'), '1 view 1 apply 1 save', 'what I did still counts'
);
select is_empty('select * from tests.wrong_counters', 'and each counter is base + recount');

-- my listings
select is(
    (
        select to_jsonb(l) - array['listing_no', 'created_at', 'changed_xid']
        from feed.listings as l
        where l.listing_id = tests.listing_id('bicycle')
    ),
    jsonb_build_object(
        'listing_id', tests.listing_id('bicycle'),
        'poster_uid', null,
        'external_id', null,
        'title', 'Removed by its poster',
        'description', null,
        'url', null,
        'image_url', null,
        'attributes', jsonb '{}',
        'tags', jsonb '[]',
        'location', null,
        'compensation', null,
        'currency', null,
        'status', 'closed',
        'expires_at', null
    ),
    'of a listing of mine an empty, closed shell is left'
);

select tests.act_as('bob');

select is(
    api.export_my_data() - array['exported_at', 'similar_users', 'similar_to_users'],
    (select document from of_bob),
    'bob has all that was his but a similarity'
);
select is(
    (select title from api.my_listings), 'Removed by its poster', 'also the save of my listing'
);

-- coming back
select tests.act_as('ann');

select is(
    (select personalization_enabled and max_distance is null and lat is null from api.preferences),
    true,
    'who comes back has no preferences'
);
select results_eq(
    'select title from api.get_feed() order by title',
    $$values ('kayak'), ('skis')$$,
    'and has seen, applied to and dismissed nothing'
);
select is(
    api.track_interaction(tests.listing_id('kayak'), 'apply') ->> 'status',
    'recorded',
    'they do it again as somebody new'
);

reset role;

select isnt(
    tests.user_no('ann'), (select a.user_no from ann as a), 'with a new number'
);
select is(tests.counters('kayak'), '1 view 2 apply 1 save', 'and count as somebody new');
select is_empty('select * from tests.wrong_counters', 'in the recount, too');

-- on behalf of a user
select tests.act_as_service();

select is(
    api.delete_my_data(tests.user_uid('cid')) ->> 'status',
    'deleted',
    'the application deletes for anybody known'
);

reset role;

select is_empty('select * from tests.wrong_counters', 'and the counters are right again');

select finish();
rollback;
