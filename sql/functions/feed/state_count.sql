-- How many rows of one type the log has had for a pair.
--
-- Called by   feed.tg_user_interactions__count, feed.tg_user_interactions__uncount

create or replace function feed.state_count(
    state feed.user_listing_states,
    type feed.interaction_type
)
returns integer
language sql
immutable
parallel safe
return case type
    when 'view' then (state).view_count
    when 'click' then (state).click_count
    when 'apply' then (state).apply_count
    when 'save' then (state).save_count
    when 'share' then (state).share_count
    when 'dismiss' then (state).dismiss_count
end;

comment on function feed.state_count is
'The count of a user_listing_states row that belongs to type.';
