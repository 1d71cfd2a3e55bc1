-- A role that another database of the cluster still uses stays.

begin;

do $$
declare
    wanted text;
begin
    execute format(
        'revoke all on database %I from authenticator, feed_worker, feed_analyst, feed_owner',
        current_database()
    );
    execute format('grant connect, temporary on database %I to public', current_database());
    execute format('alter role feed_analyst in database %I reset all', current_database());

    foreach wanted in array array[
        'authenticator', 'feed_worker', 'feed_analyst', 'service_role', 'authenticated', 'anon',
        'feed_owner'
    ]
    loop
        begin
            execute format('drop owned by %I', wanted);
            execute format('drop role %I', wanted);
        exception
            when dependent_objects_still_exist then
                raise notice '% stays: another database of this cluster uses it', wanted;
        end;
    end loop;
end;
$$;

commit;
