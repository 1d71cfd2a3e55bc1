-- Nobody but the owner sees feed.interaction_keys.

alter table feed.interaction_keys enable row level security;
