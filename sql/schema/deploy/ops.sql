-- What code is installed.

begin;
set local role feed_owner;

create table ops.source_files (
    path text primary key,
    sha256 text not null
    constraint sha256_has_64_hex_digits check (sha256 ~ '^[0-9a-f]{64}$'),
    objects text[] not null default '{}',
    applied_at timestamptz not null default now()
);

comment on table ops.source_files is
'Every replaceable file that bin/apply-code has run, with the hash of what it ran.';
comment on column ops.source_files.path is 'Below sql/, as in sql/code.manifest.';
comment on column ops.source_files.sha256 is 'SHA-256 of the file as applied, in hex.';
comment on column ops.source_files.objects is
'What it made, as DROP takes it: function feed.one_line(text), view api.trending, …';
comment on column ops.source_files.applied_at is 'When it was last run.';
comment on index ops.source_files_pkey is 'Serves bin/apply-code and the doctor.';

commit;
