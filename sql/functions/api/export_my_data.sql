-- Everything that is held about the caller, in one document.
--
-- Stable: one snapshot, and GET works. Whom a similarity is with is left out: it would tell of
-- somebody else what they did.
--
-- Called by   clients

create or replace function api.export_my_data(user_uid uuid default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- As much as the service role has: PostgREST gives a call the time that its function asks for.
set statement_timeout = '25s'
as $$
#variable_conflict use_column
declare
    holder constant uuid := identity.acting_for(export_my_data.user_uid);
    holder_no constant integer := (
        select u.user_no from feed.users as u
        where u.user_uid = holder
    );
begin
    return jsonb_build_object(
        'user_uid', holder,
        'exported_at', clock_timestamp(),
        'user', (
            select
                to_jsonb(u) - 'location' || jsonb_build_object(
                    'lat', ext.st_y(u.location::ext.geometry),
                    'lon', ext.st_x(u.location::ext.geometry)
                )
            from feed.users as u
            where u.user_uid = holder
        ),
        'preferences', (
            select to_jsonb(p) from feed.user_feed_preferences as p
            where p.user_uid = holder
        ),
        'interactions', (
            select coalesce(jsonb_agg(to_jsonb(i) order by i.created_at, i.event_id), '[]')
            from feed.user_interactions as i
            where i.user_uid = holder
        ),
        'interaction_keys', (
            select coalesce(jsonb_agg(to_jsonb(k) order by k.created_at, k.event_id), '[]')
            from feed.interaction_keys as k
            where k.user_uid = holder
        ),
        'listing_states', (
            select
                coalesce(
                    jsonb_agg(
                        to_jsonb(s) || jsonb_build_object('listing_id', l.listing_id)
                        order by s.listing_no
                    ),
                    '[]'
                )
            from feed.user_listing_states as s
            inner join feed.listings as l using (listing_no)
            where s.user_no = holder_no
        ),
        'impressions', (
            select coalesce(jsonb_agg(to_jsonb(i) order by i.created_at, i.position), '[]')
            from feed.feed_impressions as i
            where i.user_uid = holder
        ),
        'learned', (
            select
                coalesce(
                    jsonb_agg(
                        to_jsonb(v) || jsonb_build_object('trained_at', m.trained_at)
                        order by v.model_id
                    ),
                    '[]'
                )
            from ml.user_vectors as v
            inner join ml.models as m using (model_id)
            where v.user_no = holder_no
        ),
        'similar_users', (
            select
                coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'model_id', n.model_id,
                            'similarity', e.similarity,
                            'last_computed', m.trained_at
                        )
                        order by n.model_id, e.similarity desc
                    ),
                    '[]'
                )
            from ml.user_neighbors as n
            inner join ml.models as m using (model_id)
            cross join lateral unnest(n.similarities) as e (similarity)
            where n.user_no = holder_no
        ),
        'similar_to_users', (
            select
                coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'model_id', n.model_id,
                            'similarity',
                            n.similarities[array_position(n.neighbor_nos, holder_no)],
                            'last_computed', m.trained_at
                        )
                        order by
                            n.model_id,
                            n.similarities[array_position(n.neighbor_nos, holder_no)] desc
                    ),
                    '[]'
                )
            from ml.user_neighbors as n
            inner join ml.models as m using (model_id)
            where n.neighbor_nos && array[holder_no]
        ),
        'poster', (
            select to_jsonb(p) from feed.posters as p
            where p.poster_uid = holder
        ),
        'listings', (
            select
                coalesce(
                    jsonb_agg(
                        to_jsonb(l) - 'location' || jsonb_build_object(
                            'lat', ext.st_y(l.location::ext.geometry),
                            'lon', ext.st_x(l.location::ext.geometry)
                        )
                        order by l.created_at, l.listing_id
                    ),
                    '[]'
                )
            from feed.listings as l
            where l.poster_uid = holder
        )
    );
end;
$$;

comment on function api.export_my_data is
'Everything that is held about the caller, as one JSON document

What was sent, and what was derived from it. What is not held is null or an empty array.

Arguments:
- user_uid: Whose data. The token''s own, and may be left out; service_role names any known user.

Answers an object:
- user_uid, exported_at: Whose, and when.
- user: The place and when the user became known.
- preferences: As set.
- interactions, interaction_keys: The log, and what keeps an event from being recorded twice.
- listing_states: What the user did with each listing, summed up.
- impressions: What was on the screen.
- learned: Tags, pay, activity and vector that training found, by model.
- similar_users, similar_to_users: How similar, not to whom: that is somebody else''s.
- poster, listings: As a poster.

Errors:
- 400: What is no uuid, or, from service_role, no user_uid.
- 401: No token, or one that is not believed.
- 403: Somebody else''s data.
- 404: No such user.';
