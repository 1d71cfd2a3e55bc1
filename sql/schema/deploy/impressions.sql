-- What was on the screen.

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
    primary key (user_uid, ticket, created_at)
) partition by range (created_at);

comment on table feed.feed_impressions is
'Listings that were really on a user''s screen, a partition a month (UTC).';
comment on column feed.feed_impressions.ticket is 'The ticket of the feed row that was shown.';
comment on column feed.feed_impressions.user_uid is 'To whom it was shown.';
comment on column feed.feed_impressions.listing_id is 'What was shown.';
comment on column feed.feed_impressions.position is 'At which rank, from 1.';
comment on column feed.feed_impressions.score is 'With which score.';
comment on column feed.feed_impressions.profile_name is 'Ranked by which profile.';
comment on column feed.feed_impressions.created_at is 'When.';
comment on index feed.feed_impressions_pkey is
'One impression a ticket; a user''s own impressions.';

create index feed_impressions_listing_idx on feed.feed_impressions (listing_id);
comment on index feed.feed_impressions_listing_idx is
'Serves the foreign key and click rates by listing.';

create index feed_impressions_profile_idx on feed.feed_impressions (profile_name);
comment on index feed.feed_impressions_profile_idx is
'Serves the foreign key and click rates by profile.';

commit;
