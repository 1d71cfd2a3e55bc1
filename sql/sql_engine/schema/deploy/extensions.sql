-- PostGIS and pgcrypto, in ext, for a server without plpython3u and a deployer who is no superuser.
--
-- bin/deploy takes this in the place of sql/schema/deploy/extensions.sql under the engine in SQL.
-- What the service has enabled before is taken as it is. Who reads statistics of statements, and
-- whether pg_cron is there, is the service's business.

begin;

do $$
declare
    place name;
begin
    select n.nspname into place
    from pg_catalog.pg_extension as e
    inner join pg_catalog.pg_namespace as n on e.extnamespace = n.oid
    where e.extname = 'postgis';

    if place is null then
        begin
            create extension postgis with schema ext;
        exception
            when insufficient_privilege then
                raise exception 'PostGIS is not enabled, and % may not enable it', current_user
                using hint = 'Let the service enable it in the schema ext, and deploy again.';
        end;
    elsif place <> 'ext' then
        raise exception 'PostGIS is in the schema %, and is needed in ext', place
        using hint = 'Switch it off and on again with the schema ext, and deploy again.';
    end if;

    select n.nspname into place
    from pg_catalog.pg_extension as e
    inner join pg_catalog.pg_namespace as n on e.extnamespace = n.oid
    where e.extname = 'pgcrypto';

    if place is null then
        create extension pgcrypto with schema ext;
    elsif place <> 'ext' then
        -- Many services have it ready in a schema of theirs.
        execute format(
            'create function ext.hmac(data bytea, key bytea, type text)
            returns bytea language sql immutable strict parallel safe
            return %I.hmac(data, key, type)',
            place
        );
        execute format(
            'create function ext.gen_random_bytes(count integer)
            returns bytea language sql volatile strict parallel safe
            return %I.gen_random_bytes(count)',
            place
        );
        execute format('grant usage on schema %I to feed_owner', place);
    end if;
end;
$$;

grant usage on schema ext to public;

commit;
