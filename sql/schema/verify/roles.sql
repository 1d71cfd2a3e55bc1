-- The rights to connect are this database's own, so they go with a revert even where
-- the roles stay for another database.

begin;

select 1 / count(*)
from pg_catalog.pg_database as d
cross join lateral pg_catalog.aclexplode(d.datacl) as a
inner join pg_catalog.pg_roles as r on a.grantee = r.oid
where
    d.datname = current_database()
    and r.rolname = 'authenticator'
    and a.privilege_type = 'CONNECT';


rollback;
