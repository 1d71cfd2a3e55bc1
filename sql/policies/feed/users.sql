-- Who sees and writes feed.users.

alter table feed.users enable row level security;

drop policy if exists "a user sees their own row" on feed.users;
create policy "a user sees their own row" on feed.users
for select to authenticated
using (user_uid = (select identity.user_uid()));

drop policy if exists "a user becomes known by themselves" on feed.users;
create policy "a user becomes known by themselves" on feed.users
for insert to authenticated
with check (user_uid = (select identity.user_uid()));

drop policy if exists "a user moves themselves" on feed.users;
create policy "a user moves themselves" on feed.users
for update to authenticated
using (user_uid = (select identity.user_uid()))
with check (user_uid = (select identity.user_uid()));
