-- Deletes everything that is held about the caller, in one transaction.
--
-- Counters stay: what counted goes into engagement_base first. The states go before the log:
-- t50_uncount takes from the counters only what has a state.
--
-- The order of locks: retention, the user, what is theirs in the models, their poster row and
-- their listings by listing_id. Whoever writes of a user holds the user first, so all that
-- was under way is finished when the user is ours, and what comes later finds nobody. Training
-- passes over users that are locked, and looks again whom it has before it publishes.
--
-- Called by   clients
-- Writes      every table that holds something of a user

create or replace function api.delete_my_data(user_uid uuid default null)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- As much as the service role has: PostgREST gives a call the time that its function asks for.
set statement_timeout = '25s'
as $$
#variable_conflict use_column
declare
    leaver constant uuid := identity.acting_for(delete_my_data.user_uid);
    leaver_no integer;
    interaction_count bigint := 0;
    impression_count bigint := 0;
    listing_count bigint := 0;
begin
    perform pg_advisory_xact_lock_shared(feed.retention_lock_key());

    select u.user_no into leaver_no
    from feed.users as u
    where u.user_uid = leaver
    for update;

    if leaver_no is not null then
        perform feed.move_to_base('-infinity', 'infinity', leaver);
        perform ml.forget_user(leaver_no);

        delete from feed.user_listing_states as s
        where s.user_no = leaver_no;

        delete from feed.user_interactions as i
        where i.user_uid = leaver;
        get diagnostics interaction_count = row_count;

        delete from feed.feed_impressions as i
        where i.user_uid = leaver;
        get diagnostics impression_count = row_count;

        -- A listing that is being posted is waited for, and then found below.
        perform
        from feed.posters as p
        where p.poster_uid = leaver
        for update;

        perform
        from feed.listings as l
        where l.poster_uid = leaver
        order by l.listing_id
        for update;

        -- What others saved or applied to stays theirs: an empty, closed shell.
        update feed.listings as l
        set
            external_id = null,
            title = 'Removed by its poster',
            description = null,
            url = null,
            image_url = null,
            attributes = '{}',
            tags = '{}',
            location = null,
            compensation = null,
            currency = null,
            status = 'closed'
        where l.poster_uid = leaver;
        get diagnostics listing_count = row_count;

        -- The foreign key takes the poster out of the listings.
        delete from feed.posters as p
        where p.poster_uid = leaver;

        -- Preferences go along.
        delete from feed.users as u
        where u.user_uid = leaver;
    end if;

    -- Those of events whose log is gone already, and of one who is known no more.
    delete from feed.interaction_keys as k
    where k.user_uid = leaver;

    return jsonb_build_object(
        'user_uid', leaver,
        'status', case when leaver_no is null then 'nothing held' else 'deleted' end,
        'interactions', interaction_count,
        'impressions', impression_count,
        'listings', listing_count
    );
end;
$$;

comment on function api.delete_my_data is
'Deletes everything that is held about the caller, at once and for good

Place, preferences, interactions, impressions, saved and dismissed listings, what was learned, and
similarities on either side: gone when this answers, and in nobody''s feed any more. Counters of
listings stay. The caller''s own listings are closed and emptied, and name no poster; only their ids
stay, for those who saved or applied to them. There is no undo: export_my_data first. The token
stays valid, and whoever calls again is a new, empty user.

Arguments:
- user_uid: Whose data. The token''s own, and may be left out; service_role names any known user.

Answers an object:
- user_uid: Whose.
- status: deleted, or nothing held.
- interactions, impressions, listings: How many of each.

Errors:
- 400: What is no uuid, or, from service_role, no user_uid.
- 401: No token, or one that is not believed.
- 403: Somebody else''s data.
- 404: No such user.';
