-- Who sees feed.posters: their score goes into what everybody sees, their counts do not.

alter table feed.posters enable row level security;

drop policy if exists "a poster sees their own row" on feed.posters;
create policy "a poster sees their own row" on feed.posters
for select to authenticated
using (poster_uid = (select identity.user_uid()));
