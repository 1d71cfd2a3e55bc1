-- What the caller asked of the feed, and where they are.
--
-- One row for whoever is signed in, known or not yet.
--
-- Called by   clients

create or replace view api.preferences
with (security_invoker = true) as
select
    a.user_uid,
    p.max_distance,
    coalesce(p.preferred_tags, '{}') as preferred_tags,
    coalesce(p.blocked_tags, '{}') as blocked_tags,
    coalesce(p.personalization_enabled, true) as personalization_enabled,
    ext.st_y(u.location::ext.geometry) as lat,
    ext.st_x(u.location::ext.geometry) as lon,
    p.updated_at
from (select identity.user_uid() as user_uid) as a
left join feed.users as u on a.user_uid = u.user_uid
left join feed.user_feed_preferences as p on a.user_uid = p.user_uid
where a.user_uid is not null;

comment on view api.preferences is
'The caller''s own preferences and place

GET answers one row, also to whoever is not known yet. PATCH the fields to change; the next feed
follows them. A PATCH needs no filter: the one row is the caller''s.

Errors:
- 400: A max_distance that is not above 0, half a place, a tag both preferred and blocked, a tag of
  more than 200 characters, or a change of user_uid.
- 401: No token, or one that is not believed.';
comment on column api.preferences.user_uid is 'The caller.';
comment on column api.preferences.max_distance is
'Farthest listing in km, above 0; null for no limit.';
comment on column api.preferences.preferred_tags is
'Tags to rank higher; if there are none, they are inferred from behaviour.';
comment on column api.preferences.blocked_tags is 'A listing with any of these is not shown.';
comment on column api.preferences.personalization_enabled is
'If false nothing of the caller''s behaviour enters the ranking but what they applied to,
dismissed or have seen.';
comment on column api.preferences.lat is 'Latitude in degrees; null if unknown.';
comment on column api.preferences.lon is 'Longitude in degrees; null if unknown.';
comment on column api.preferences.updated_at is 'Last change of a preference.';
