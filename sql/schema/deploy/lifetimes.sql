-- How long the log is kept, and how long a ticket is good.

begin;
set local role feed_owner;

create table feed.data_lifetimes (
    is_only_row boolean primary key default true
    constraint data_lifetimes_have_one_row check (is_only_row),
    ticket_lifetime interval not null default '24 hours'
    constraint ticket_lifetime_is_at_most_7_days
    check (ticket_lifetime > interval '0' and ticket_lifetime <= interval '7 days'),
    -- What may still be written to must not go: events come up to 7 days late, and
    -- jobs.keep_house makes the former month's partition if it is missing.
    interaction_lifetime interval
    constraint interaction_lifetime_is_at_least_2_months
    check (interaction_lifetime >= interval '2 months'),
    impression_lifetime interval
    constraint impression_lifetime_is_at_least_2_months
    check (impression_lifetime >= interval '2 months')
);

comment on table feed.data_lifetimes is
'How long what is recorded of users is kept: one row. Off by default: nothing is dropped.';
comment on column feed.data_lifetimes.is_only_row is 'Always true: keeps the table at one row.';
comment on column feed.data_lifetimes.ticket_lifetime is
'How long after the feed a ticket may still be sent to track_impressions.';
comment on column feed.data_lifetimes.interaction_lifetime is
'jobs.keep_house drops the months of the log that ended longer ago; null: never. Counters and
exclusions stay.';
comment on column feed.data_lifetimes.impression_lifetime is
'jobs.keep_house drops the months of impressions that ended longer ago; null: never.';
comment on index feed.data_lifetimes_pkey is 'Keeps the table at one row.';

insert into feed.data_lifetimes default values;

commit;
