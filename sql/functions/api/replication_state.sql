-- Where this server stands in the replication: what the gateway sends reads and writes by.
--
-- Stable, so that a standby answers it too. The primary's position is that of WAL on its disk:
-- every commit that was acknowledged before is in it, and no standby can have more. (It may be of a
-- moment after the snapshot, never before.)
--
-- Called by   deploy/lua/peers.lua

create or replace function api.replication_state()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not identity.is_service() then
        raise sqlstate 'PT403' using
            message = 'this call is for service_role only',
            hint = 'Send a token with the role service_role.';
    end if;

    if pg_is_in_recovery() then
        return jsonb_build_object(
            'is_primary', false,
            'timeline', ops.received_timeline(),
            'position', pg_last_wal_replay_lsn() - '0/0'
        );
    end if;

    return jsonb_build_object(
        'is_primary', true,
        -- The file's name begins with it; the control file has it only after a checkpoint.
        'timeline',
        ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer,
        'position', pg_current_wal_flush_lsn() - '0/0'
    );
end;
$$;

comment on function api.replication_state is
'Where the server that answers stands in the replication; for service_role

The gateway asks each server this: it sends writes to the primary, and reads to standbys that have
replayed enough.

Answers an object:
- is_primary: Whether it takes writes.
- timeline: A primary''s own, which each promotion makes higher; the one that a standby receives, null
  if it receives nothing.
- position: Bytes of the write-ahead log: a primary''s up to where it is on disk, a standby''s up to
  where it is replayed.

Errors:
- 401: No token, or one that is not believed.
- 403: A token that is not service_role''s.';
