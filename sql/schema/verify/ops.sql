begin;

select
    path,
    sha256,
    applied_at
from ops.source_files
where false;

rollback;
