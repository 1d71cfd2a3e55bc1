-- How far the gateway's access logs have been read, and what was counted there.

begin;
set local role feed_owner;

create table ops.access_logs (
    log_no bigint generated always as identity primary key,
    source text not null,
    path text not null,
    inode bigint not null,
    head_size integer not null default 0
    constraint head_size_is_between_0_and_1024 check (head_size between 0 and 1024),
    head_hash text not null default '',
    read_bytes bigint not null default 0
    constraint read_bytes_are_not_negative check (read_bytes >= 0),
    line_count bigint not null default 0,
    skipped_count bigint not null default 0,
    rotated_at timestamptz,
    checked_at timestamptz not null default now()
);

comment on table ops.access_logs is
'One row a log file: how far pgfeed access-log has read it. Counts of the same lines are
committed together with it, so nothing is counted twice or left out.';
comment on column ops.access_logs.log_no is 'Counts up.';
comment on column ops.access_logs.source is 'Which gateway wrote it: the machine, or --source.';
comment on column ops.access_logs.path is 'The file as it was named to pgfeed access-log.';
comment on column ops.access_logs.inode is 'The file''s inode: it keeps it when it is renamed.';
comment on column ops.access_logs.head_size is 'Bytes at its beginning that identify it.';
comment on column ops.access_logs.head_hash is 'SHA-256 of these, in hex.';
comment on column ops.access_logs.read_bytes is 'So far it has been read.';
comment on column ops.access_logs.line_count is 'Lines that were counted.';
comment on column ops.access_logs.skipped_count is 'Lines that were no request.';
comment on column ops.access_logs.rotated_at is
'Since when another file stands at the path; it is read for some time yet.';
comment on column ops.access_logs.checked_at is 'When pgfeed access-log last looked.';
comment on index ops.access_logs_pkey is 'One row a file.';

create unique index access_logs_current_idx on ops.access_logs (source, path)
where rotated_at is null;
comment on index ops.access_logs_current_idx is 'One current file at a path.';

create table ops.request_counts (
    hour timestamptz not null,
    route text not null
    constraint route_has_at_most_40_characters check (length(route) <= 40),
    status_class smallint not null
    constraint status_class_is_between_1_and_5 check (status_class between 1 and 5),
    bucket_no smallint not null
    constraint bucket_no_is_not_negative check (bucket_no >= 0),
    request_count bigint not null
    constraint request_count_is_positive check (request_count > 0),
    primary key (hour, route, status_class, bucket_no)
)
with (fillfactor = 70);

comment on table ops.request_counts is
'Requests at the gateway by hour and how long they took: a histogram, from which percentiles
follow within 2 %.';
comment on column ops.request_counts.hour is 'The hour in which they ended.';
comment on column ops.request_counts.route is 'As the gateway names it; empty for pages.';
comment on column ops.request_counts.status_class is 'First digit of the HTTP status.';
comment on column ops.request_counts.bucket_no is 'ops.latency_bucket of the milliseconds.';
comment on column ops.request_counts.request_count is 'How many.';
comment on index ops.request_counts_pkey is 'Serves feed_latency by hour, and the counting.';

commit;
