-- Who sees feed.feed_impressions. Nobody writes it but the api's functions.

alter table feed.feed_impressions enable row level security;

drop policy if exists "a user sees what was shown to them" on feed.feed_impressions;
create policy "a user sees what was shown to them" on feed.feed_impressions
for select to authenticated
using (user_uid = (select identity.user_uid()));
