-- Which timeline a standby receives: whether it follows this primary or a former one.
--
-- Of the receiver PostgreSQL shows all but its pid to who may read every statistic only, which
-- none of our roles may: hence a definer function of a superuser's, for this number alone. Where
-- whoever deploys is none it gives null, and replicas are the provider's business.
--
-- Called by   api.replication_state

create or replace function ops.received_timeline()
returns integer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (select r.received_tli from pg_stat_wal_receiver as r);
end;
$$;

comment on function ops.received_timeline is
'The timeline that a standby receives; null where nothing is received.';

revoke execute on function ops.received_timeline from public;
grant execute on function ops.received_timeline to feed_owner;
