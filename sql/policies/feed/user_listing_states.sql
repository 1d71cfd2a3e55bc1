-- Who sees feed.user_listing_states. Nobody writes it but the count triggers.

alter table feed.user_listing_states enable row level security;

drop policy if exists "a user sees their own states" on feed.user_listing_states;
create policy "a user sees their own states" on feed.user_listing_states
for select to authenticated
using (
    user_no = (
        select u.user_no from feed.users as u
        where u.user_uid = (select identity.user_uid())
    )
);
