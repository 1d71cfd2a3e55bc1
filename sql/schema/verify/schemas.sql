begin;

select pg_catalog.has_schema_privilege(name, 'usage')
from (
    values ('api'), ('identity'), ('feed'), ('ml'), ('jobs'), ('analytics'), ('ops'), ('ext')
) as s (name);

rollback;
