-- What was on the screen, and the keys that sign the tickets of a feed's rows.

begin;
set local role feed_owner;

create table feed.feed_impressions (
    ticket text not null,
    user_uid uuid not null references feed.users,
    listing_id uuid not null references feed.listings,
    position integer not null
    constraint position_is_positive check (position > 0),
    score double precision not null,
    profile_name text not null references feed.ranking_profiles,
    created_at timestamptz not null default now(),
    primary key (user_uid, listing_id, created_at)
) partition by range (created_at);

comment on table feed.feed_impressions is
'Listings that were really on a user''s screen, a partition a month (UTC).';
comment on column feed.feed_impressions.ticket is 'The ticket of the feed row that was shown.';
comment on column feed.feed_impressions.user_uid is 'To whom it was shown.';
comment on column feed.feed_impressions.listing_id is 'What was shown.';
comment on column feed.feed_impressions.position is 'At which rank of its page, from 1.';
comment on column feed.feed_impressions.score is 'With which score.';
comment on column feed.feed_impressions.profile_name is 'Ranked by which profile.';
comment on column feed.feed_impressions.created_at is
'When the feed gave it, as the ticket says: a ticket sent again finds its own row.';
comment on index feed.feed_impressions_pkey is
'One impression a ticket; a user''s own impressions; which one an interaction came from.';

create index feed_impressions_listing_idx on feed.feed_impressions (listing_id);
comment on index feed.feed_impressions_listing_idx is
'Serves the foreign key and click rates by listing.';

create index feed_impressions_profile_idx on feed.feed_impressions (profile_name);
comment on index feed.feed_impressions_profile_idx is
'Serves the foreign key and click rates by profile.';

create index feed_impressions_time_idx on feed.feed_impressions using brin (created_at);
comment on index feed.feed_impressions_time_idx is
'Serves jobs.refresh_analytics: the impressions of some days.';

create table feed.ticket_keys (
    key_no integer generated always as identity primary key,
    secret bytea not null default ext.gen_random_bytes(32)
    constraint ticket_secret_has_at_least_32_bytes check (octet_length(secret) >= 32),
    created_at timestamptz not null default now()
);

comment on table feed.ticket_keys is
'What tickets are signed with: the newest signs, the others still verify. Nobody but the owner
reads it.';
comment on column feed.ticket_keys.key_no is 'Counts up; stands in the ticket.';
comment on column feed.ticket_keys.secret is 'Key of the HMAC (SHA-256), made by the server.';
comment on column feed.ticket_keys.created_at is 'Since when.';
comment on index feed.ticket_keys_pkey is
'Serves every feed (the newest) and every ticket that comes back.';

insert into feed.ticket_keys default values;

commit;
