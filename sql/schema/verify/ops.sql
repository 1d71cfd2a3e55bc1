begin;

select
    path,
    sha256,
    objects,
    applied_at
from ops.source_files
where false;

rollback;
