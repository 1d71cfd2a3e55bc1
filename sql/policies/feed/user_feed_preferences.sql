-- Who sees and writes feed.user_feed_preferences.

alter table feed.user_feed_preferences enable row level security;

drop policy if exists "a user has their own preferences" on feed.user_feed_preferences;
create policy "a user has their own preferences" on feed.user_feed_preferences
for all to authenticated
using (user_uid = (select identity.user_uid()))
with check (user_uid = (select identity.user_uid()));
