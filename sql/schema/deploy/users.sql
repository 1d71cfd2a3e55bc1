-- Users and their feed preferences.

begin;
set local role feed_owner;

-- Tags are compared everywhere, so they have one form. It stands in the ledger since
-- the CHECKs below need it.
create function feed.normalized_tags(tags text[])
returns text[]
language sql
immutable
parallel safe
return (
    select coalesce(array_agg(distinct t.tag collate "C" order by t.tag collate "C"), '{}')
    from (
        select lower(btrim(u.tag, E' \t\n\r\f\x0b')) as tag
        from unnest(normalized_tags.tags) as u (tag)
    ) as t
    where t.tag <> ''
);

comment on function feed.normalized_tags is
'Tags trimmed, in lower case, distinct and in byte order; empty ones and nulls dropped.';

create table feed.users (
    user_uid uuid primary key,
    user_no integer generated always as identity unique,
    location ext.geography(point, 4326),
    created_at timestamptz not null default now(),
    constraint user_location_is_not_empty check (not ext.st_isempty(location::ext.geometry))
);

comment on table feed.users is 'Everybody who has called with a valid token, or was upserted.';
comment on column feed.users.user_uid is 'The token''s sub.';
comment on column feed.users.user_no is 'Dense number of the user: the row of every matrix.';
comment on column feed.users.location is 'Where the user is; null if unknown.';
comment on column feed.users.created_at is 'When the user became known.';
comment on index feed.users_pkey is 'Serves every request: the token''s sub to user_no.';
comment on index feed.users_user_no_key is
'Serves training and the neighbors: user_no to the user.';

create table feed.user_feed_preferences (
    user_uid uuid primary key references feed.users on delete cascade,
    max_distance double precision
    constraint max_distance_is_positive
    check (max_distance > 0 and max_distance < 'infinity'),
    preferred_tags text[] not null default '{}'
    constraint preferred_tags_are_normalized
    check (preferred_tags = feed.normalized_tags(preferred_tags))
    constraint preferred_tags_are_lines_of_at_most_200_characters check (
        array_to_string(preferred_tags, e'\n') !~ '[^\n]{201}'
        and cardinality(string_to_array(array_to_string(preferred_tags, e'\n'), e'\n'))
        = cardinality(preferred_tags)
    ),
    blocked_tags text[] not null default '{}'
    constraint blocked_tags_are_normalized
    check (blocked_tags = feed.normalized_tags(blocked_tags))
    constraint blocked_tags_are_lines_of_at_most_200_characters check (
        array_to_string(blocked_tags, e'\n') !~ '[^\n]{201}'
        and cardinality(string_to_array(array_to_string(blocked_tags, e'\n'), e'\n'))
        = cardinality(blocked_tags)
    ),
    personalization_enabled boolean not null default true,
    updated_at timestamptz not null default now(),
    constraint preferred_tags_are_not_blocked check (not preferred_tags && blocked_tags)
);

comment on table feed.user_feed_preferences is
'What a user asked of the feed. A user without a row has the defaults.';
comment on column feed.user_feed_preferences.user_uid is 'Whose preferences.';
comment on column feed.user_feed_preferences.max_distance is
'Farthest listing in km; null for no limit.';
comment on column feed.user_feed_preferences.preferred_tags is
'Tags the user asked for; if there are none, tags are inferred from behaviour.';
comment on column feed.user_feed_preferences.blocked_tags is
'A listing with any of these is never in the feed.';
comment on column feed.user_feed_preferences.personalization_enabled is
'If false nothing of the user''s behaviour enters the ranking but the exclusions.';
comment on column feed.user_feed_preferences.updated_at is 'Last change.';
comment on index feed.user_feed_preferences_pkey is 'Serves every feed: one user''s preferences.';

commit;
