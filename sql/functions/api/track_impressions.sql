-- Records what was really on the caller's screen.
--
-- A ticket is checked by signing again what it says: nobody can claim what the feed did not
-- give, nor at another rank, score or time. The row's key follows from the ticket, so a ticket
-- that comes twice finds its own row. An impression is no interaction: no ranking reads it.
--
-- Called by   clients
-- Writes      feed.users (a caller not yet known), feed.feed_impressions

create or replace function api.track_impressions(tickets text[], user_uid uuid default null)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    viewer constant uuid := identity.acting_for(track_impressions.user_uid);
    lifetime constant interval := (select d.ticket_lifetime from feed.data_lifetimes as d);
    received integer;
    recorded integer;
    bad record;
begin
    received := coalesce(cardinality(tickets), 0);

    if received not between 1 and 1000 then
        raise sqlstate 'PT400' using
            message = 'tickets must be an array of 1 to 1000 tickets',
            hint = 'Send {"tickets": [...]} with the tickets of the feed rows that were shown.';
    end if;

    select
        t.n - 1 as index,
        t.ticket is null or f.body is null as is_malformed,
        -- Hashes are compared, so that the time it takes tells nothing of the right one.
        k.key_no is null
        or sha256(convert_to(feed.ticket_signature(k.secret, viewer, f.body), 'UTF8'))
        <> sha256(convert_to(f.signature, 'UTF8')) as is_forged
    into bad
    from unnest(tickets) with ordinality as t (ticket, n)
    left join lateral feed.ticket_facts(t.ticket) as f on true
    left join feed.ticket_keys as k using (key_no)
    where
        f.body is null
        or k.key_no is null
        or sha256(convert_to(feed.ticket_signature(k.secret, viewer, f.body), 'UTF8'))
        <> sha256(convert_to(f.signature, 'UTF8'))
        or f.issued_at <= now() - lifetime
    order by t.n
    limit 1;

    if bad.is_malformed then
        raise sqlstate 'PT400' using
            message = format('tickets[%s] is no ticket', bad.index),
            hint = 'Send the ticket of a feed row as it came. Nothing was recorded.';
    elsif bad.is_forged then
        raise sqlstate 'PT403' using
            message = format('tickets[%s] was not given to this user', bad.index),
            hint = 'Send tickets of this user''s own feed, unchanged. Nothing was recorded.';
    elsif bad.index is not null then
        raise sqlstate 'PT400' using
            message = format('tickets[%s] has expired', bad.index),
            hint = format('Tickets are good for %s: drop it. Nothing was recorded.', lifetime);
    end if;

    perform feed.ensure_user(viewer);

    -- In key order, listings too: whoever locks several does so in this order.
    insert into feed.feed_impressions (
        ticket, user_uid, listing_id, position, score, profile_name, created_at, components
    )
    select
        t.ticket,
        viewer,
        f.listing_id,
        f.rank,
        f.score,
        f.profile_name,
        f.issued_at,
        f.components
    from unnest(tickets) as t (ticket)
    cross join lateral feed.ticket_facts(t.ticket) as f
    order by f.listing_id, f.issued_at
    on conflict do nothing;

    get diagnostics recorded = row_count;

    return jsonb_build_object(
        'received', received,
        'recorded', recorded,
        'duplicates', received - recorded
    );
end;
$$;

comment on function api.track_impressions is
'Records which rows of the feed were really on the screen

An impression is no interaction: it moves no ranking, and the listing stays in the feed. A ticket
sent again changes nothing, so a request that failed on the way can be tried again. All or nothing.

Arguments:
- tickets: 1 to 1000 tickets of feed rows, as they came.
- user_uid: Who saw them. The token''s own, and may be left out; service_role names any known user.

Answers an object:
- received: How many tickets came.
- recorded: How many were new.
- duplicates: How many were there already.

Errors:
- 400: No ticket or more than 1000, what is no ticket, or one that has expired: 24 hours after the
  feed, unless the operator chose otherwise.
- 401: No token, or one that is not believed.
- 403: Somebody else''s user_uid; a ticket that was changed, made up or given to somebody else.
- 404: No such user.';
