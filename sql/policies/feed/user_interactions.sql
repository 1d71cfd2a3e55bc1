-- Who sees feed.user_interactions. Nobody writes it but the api's functions.

alter table feed.user_interactions enable row level security;

drop policy if exists "a user sees their own interactions" on feed.user_interactions;
create policy "a user sees their own interactions" on feed.user_interactions
for select to authenticated
using (user_uid = (select identity.user_uid()));
