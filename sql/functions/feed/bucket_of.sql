-- The bucket of a user: where experiments draw their lines.
--
-- Never to be changed, not even between releases: all users would change their profile at once,
-- and results from before and after could not be compared. Therefore SHA-256, which is the same
-- everywhere, and not PostgreSQL's own hashes, which may change with its version.
--
-- Called by   feed.profile_of

create or replace function feed.bucket_of(user_uid uuid)
returns integer
language sql
immutable
parallel safe
return (
    ('x' || encode(substr(sha256(uuid_send(bucket_of.user_uid)), 1, 4), 'hex'))::bit(32)::bigint
    % 1000
)::integer;

comment on function feed.bucket_of is
'From 0 to 999, the same for ever: the first four bytes of the SHA-256 of the sixteen bytes of
user_uid, as a number, modulo 1000.';
