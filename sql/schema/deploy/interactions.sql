-- The log, its keys, and the user-item matrix.

begin;
set local role feed_owner;

create type feed.interaction_type as enum ('view', 'click', 'apply', 'save', 'share', 'dismiss');
comment on type feed.interaction_type is 'What a user can do with a listing.';

create table feed.interaction_weights (
    type feed.interaction_type primary key,
    weight smallint not null
    constraint interaction_weight_is_between_minus_10_and_10 check (weight between -10 and 10)
);

comment on table feed.interaction_weights is 'How much an interaction says, by type.';
comment on column feed.interaction_weights.type is 'The interaction.';
comment on column feed.interaction_weights.weight is 'Points; negative speaks against the listing.';
comment on index feed.interaction_weights_pkey is 'One weight a type.';

insert into feed.interaction_weights (type, weight) values
('apply', 10),
('save', 5),
('share', 3),
('click', 2),
('view', 1),
('dismiss', -5);

-- The primary key serves the pair (what counts), the user (foreign key) and replication;
-- that an event comes in once is the business of interaction_keys, since a key of a
-- partitioned table must hold created_at.
create table feed.user_interactions (
    user_uid uuid not null references feed.users,
    listing_id uuid not null references feed.listings,
    type feed.interaction_type not null,
    metadata jsonb not null default '{}'
    constraint metadata_is_an_object check (jsonb_typeof(metadata) = 'object')
    constraint metadata_is_at_most_4_kilobytes check (octet_length(metadata::text) <= 4096)
    constraint metadata_seconds_are_not_negative check (
        metadata -> 'seconds' is null
        or (
            jsonb_typeof(metadata -> 'seconds') = 'number'
            and (metadata -> 'seconds')::numeric between 0 and 86400
        )
    ),
    created_at timestamptz not null default now(),
    event_id uuid not null default gen_random_uuid(),
    primary key (user_uid, listing_id, created_at, event_id)
) partition by range (created_at);

comment on table feed.user_interactions is
'The log: every interaction as it came, a partition a month (UTC). Write through this
table, never into a partition: its triggers count.';
comment on column feed.user_interactions.user_uid is 'Who.';
comment on column feed.user_interactions.listing_id is 'With which listing.';
comment on column feed.user_interactions.type is 'Did what.';
comment on column feed.user_interactions.metadata is
'An object; {"seconds": 42} on a view is how long it was looked at.';
comment on column feed.user_interactions.created_at is 'When it happened.';
comment on column feed.user_interactions.event_id is
'The client''s id of the event: a second try changes nothing.';
comment on index feed.user_interactions_pkey is
'Serves what counts (is there another of this pair and hour?) and a user''s own history.';

create index user_interactions_listing_idx on feed.user_interactions (listing_id, created_at);
comment on index feed.user_interactions_listing_idx is 'Serves the recount of one listing.';

create index user_interactions_time_idx on feed.user_interactions using brin (created_at);
comment on index feed.user_interactions_time_idx is 'Serves the hourly job: the last seven days.';

create table feed.interaction_keys (
    user_uid uuid not null,
    event_id uuid not null,
    payload_hash bigint not null,
    created_at timestamptz not null,
    primary key (user_uid, event_id)
);

comment on table feed.interaction_keys is
'One row an event in the log, unique over all its partitions; kept by trigger.';
comment on column feed.interaction_keys.user_uid is 'Whose event.';
comment on column feed.interaction_keys.event_id is 'The client''s id.';
comment on column feed.interaction_keys.payload_hash is
'feed.payload_hash of what was said, to tell a repetition from a conflict.';
comment on column feed.interaction_keys.created_at is 'The log row''s time: its partition.';
comment on index feed.interaction_keys_pkey is 'Keeps events unique; serves retract_interaction.';

create table feed.user_listing_states (
    user_no integer not null references feed.users (user_no) on delete cascade,
    listing_no integer not null references feed.listings (listing_no),
    view_count integer not null default 0,
    click_count integer not null default 0,
    apply_count integer not null default 0,
    save_count integer not null default 0,
    share_count integer not null default 0,
    dismiss_count integer not null default 0,
    strongest_weight smallint not null,
    is_dismissed boolean not null generated always as (dismiss_count > 0) stored,
    applied_at timestamptz,
    saved_at timestamptz,
    dismissed_at timestamptz,
    last_at timestamptz not null,
    -- What a feed asks of a pair is in the key's index: one index to write less.
    primary key (user_no, listing_no)
    include (strongest_weight, is_dismissed, applied_at, last_at),
    constraint state_counts_are_not_negative check (
        least(view_count, click_count, apply_count, save_count, share_count, dismiss_count) >= 0
    ),
    constraint state_has_an_interaction check (
        greatest(view_count, click_count, apply_count, save_count, share_count, dismiss_count) > 0
    ),
    constraint applied_at_goes_with_its_count check ((applied_at is null) = (apply_count = 0)),
    constraint saved_at_goes_with_its_count check ((saved_at is null) = (save_count = 0)),
    constraint dismissed_at_goes_with_its_count
    check ((dismissed_at is null) = (dismiss_count = 0))
)
with (fillfactor = 85);

comment on table feed.user_listing_states is
'The user-item matrix: one row a user and listing with any interaction, kept by trigger.
It outlives the log''s partitions. A poster''s interactions with their own listings are not
in it: they say nothing about taste.';
comment on column feed.user_listing_states.user_no is 'The user: feed.users.user_no.';
comment on column feed.user_listing_states.listing_no is 'The listing: feed.listings.listing_no.';
comment on column feed.user_listing_states.view_count is 'Views in the log, counted or not.';
comment on column feed.user_listing_states.click_count is 'Clicks in the log, counted or not.';
comment on column feed.user_listing_states.apply_count is
'Applications in the log, counted or not.';
comment on column feed.user_listing_states.save_count is 'Saves in the log, counted or not.';
comment on column feed.user_listing_states.share_count is 'Shares in the log, counted or not.';
comment on column feed.user_listing_states.dismiss_count is
'Dismissals in the log, counted or not.';
comment on column feed.user_listing_states.strongest_weight is
'The greatest feed.interaction_weights.weight among the types with a count.';
comment on column feed.user_listing_states.is_dismissed is 'Dismissed, and not retracted.';
comment on column feed.user_listing_states.applied_at is 'First application; null for none.';
comment on column feed.user_listing_states.saved_at is 'First save; null for none.';
comment on column feed.user_listing_states.dismissed_at is 'First dismissal; null for none.';
comment on column feed.user_listing_states.last_at is 'Latest interaction of any type.';
comment on index feed.user_listing_states_pkey is
'Serves counting, and every feed without touching the table: what the user is done with, what
neighbors chose.';

create index user_listing_states_listing_idx on feed.user_listing_states (listing_no, user_no);
comment on index feed.user_listing_states_listing_idx is
'Serves the foreign key and who else liked this listing; a pair is one look-up here, too.';

commit;
