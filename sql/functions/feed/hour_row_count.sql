-- How many rows the log has of one user, listing, type and hour; no more are read than at_most.
--
-- A function, though a subquery would do: the triggers of the log ask it only where a pair alone
-- does not decide, and opening every partition for a question that is seldom put took half of the
-- time of writing an interaction. One plan for all months: planning costs more than it saves.
--
-- The log is asked by its primary key, whatever else there is: listing and time are compared as a
-- pair, for with `listing_id = …` the planner may take the index of listings, and reads
-- everybody's rows of a listing that is popular this hour.
--
-- Called by   feed.tg_user_interactions__count, feed.tg_user_interactions__uncount

create or replace function feed.hour_row_count(
    user_uid uuid,
    listing_id uuid,
    type feed.interaction_type,
    hour timestamptz,
    at_most bigint
)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    return (
        select count(*)
        from (
            select
            from feed.user_interactions as i
            where
                i.user_uid = hour_row_count.user_uid
                and (i.listing_id, i.created_at)
                >= (hour_row_count.listing_id, hour_row_count.hour)
                and (i.listing_id, i.created_at)
                < (hour_row_count.listing_id, hour_row_count.hour + interval '1 hour')
                and i.type = hour_row_count.type
                -- said again, since only this chooses the partition
                and i.created_at >= hour_row_count.hour
                and i.created_at < hour_row_count.hour + interval '1 hour'
            limit at_most
        ) as i
    );
end;
$$;

comment on function feed.hour_row_count is
'How many interactions of a user with a listing the log has, of one type and one hour from its
beginning, at_most if there are more.';
