-- Who sees and writes feed.listings.

alter table feed.listings enable row level security;

drop policy if exists "everybody sees every listing" on feed.listings;
create policy "everybody sees every listing" on feed.listings
for select to anon, authenticated
using (true);

drop policy if exists "a poster posts as themselves" on feed.listings;
create policy "a poster posts as themselves" on feed.listings
for insert to authenticated
with check (poster_uid = (select identity.user_uid()));

drop policy if exists "a poster changes their own listings" on feed.listings;
create policy "a poster changes their own listings" on feed.listings
for update to authenticated
using (poster_uid = (select identity.user_uid()))
with check (poster_uid = (select identity.user_uid()));
