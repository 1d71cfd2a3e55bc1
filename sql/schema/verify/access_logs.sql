begin;

select
    source,
    path,
    inode,
    head_size,
    head_hash,
    read_bytes,
    rotated_at
from ops.access_logs
where false;

select
    hour,
    route,
    status_class,
    bucket_no,
    request_count
from ops.request_counts
where false;

rollback;
