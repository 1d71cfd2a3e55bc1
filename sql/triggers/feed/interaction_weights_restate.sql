-- feed.interaction_weights -> user_listing_states, engagement_metrics
--
-- A new weight holds for what was done before, too. Rare, and as long as the matrix is
-- large: do it in a quiet hour.

create or replace function feed.tg_interaction_weights__restate()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with restated as (
        select
            s.user_no,
            s.listing_no,
            (
                select max(w.weight)
                from feed.interaction_weights as w
                where feed.state_count(s, w.type) > 0
            ) as strongest_weight
        from feed.user_listing_states as s
        order by s.user_no, s.listing_no
        for update of s
    )

    update feed.user_listing_states as s
    set strongest_weight = r.strongest_weight
    from restated as r
    where
        s.user_no = r.user_no
        and s.listing_no = r.listing_no
        and s.strongest_weight <> r.strongest_weight;

    with locked as (
        select m.listing_id
        from feed.engagement_metrics as m
        where not m.is_stale
        order by m.listing_id
        for no key update
    )

    update feed.engagement_metrics as m
    set is_stale = true
    from locked as k
    where m.listing_id = k.listing_id;

    return null;
end;
$$;

comment on function feed.tg_interaction_weights__restate is
'Applies changed weights to the user-item matrix and marks every counter for the hourly job.';

create or replace trigger t50_restate
after update on feed.interaction_weights
for each statement
execute function feed.tg_interaction_weights__restate();
