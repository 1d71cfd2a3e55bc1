-- Jobs that do not run by themselves, and how profiles are fitted from impressions.

begin;
set local role feed_owner;

alter table jobs.schedules
add column is_enabled boolean not null default true;

comment on column jobs.schedules.is_enabled is
'Whether pg_cron runs it; the doctor asks nothing of a job that is off. The operator''s: replacing
code leaves it.';

create table ml.fit_parameters (
    is_only_row boolean primary key default true
    constraint fit_parameters_have_one_row check (is_only_row),
    fit_window interval not null default '28 days'
    constraint fit_window_is_between_2_and_365_days
    check (fit_window between interval '2 days' and interval '365 days'),
    held_out_window interval not null default '7 days'
    constraint held_out_window_is_between_1_hour_and_180_days
    check (held_out_window between interval '1 hour' and interval '180 days'),
    impression_limit integer not null default 1000000
    constraint impression_limit_is_between_1000_and_5000000
    check (impression_limit between 1000 and 5000000),
    least_user_count integer not null default 100
    constraint least_user_count_is_between_2_and_1000000
    check (least_user_count between 2 and 1000000),
    trial_count smallint not null default 8
    constraint trial_count_is_between_2_and_100 check (trial_count between 2 and 100),
    random_seed integer not null default 20240229
    constraint fit_random_seed_is_not_negative check (random_seed >= 0),
    constraint held_out_window_is_shorter_than_fit_window check (held_out_window < fit_window)
);

comment on table ml.fit_parameters is
'How jobs.fit_profile fits a ranking profile from impressions: one row.';
comment on column ml.fit_parameters.is_only_row is 'Always true: keeps the table at one row.';
comment on column ml.fit_parameters.fit_window is 'Impressions of so long are read.';
comment on column ml.fit_parameters.held_out_window is
'The last part of these, on which what was learned from the rest is judged.';
comment on column ml.fit_parameters.impression_limit is
'At most so many impressions are read, the latest: about 600 bytes of memory each.';
comment on column ml.fit_parameters.least_user_count is
'Nothing is fitted unless so many users chose something of what they were shown, before and in
the held-out part each.';
comment on column ml.fit_parameters.trial_count is
'Settings that are tried, each judged on later days than those it was fitted on.';
comment on column ml.fit_parameters.random_seed is
'Seed of every random choice: the same impressions give the same profile.';
comment on index ml.fit_parameters_pkey is 'Keeps the table at one row.';

insert into ml.fit_parameters default values;

commit;
