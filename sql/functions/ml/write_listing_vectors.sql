-- Writes the vectors of listings under the model in force.
--
-- Rows are locked in listing_no order, so that no two writers deadlock. Before the first
-- training there is nothing to do, and Python is not even loaded.
--
-- Called by   the triggers on feed.listings and feed.posters, python/pgfeed/publishing.py

create or replace function ml.write_listing_vectors(listing_nos integer[])
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    current_id constant integer := ml.model_for_writing();
    step integer;
    wanted integer [];
    first integer := 1;
begin
    if current_id is null then
        return;
    end if;

    select t.rows_per_step into strict step from ml.training_parameters as t;
    select array_agg(distinct u.listing_no order by u.listing_no)
    into wanted
    from unnest(listing_nos) as u (listing_no);

    while first <= coalesce(cardinality(wanted), 0)
    loop
        insert into ml.listing_vectors as v (model_id, listing_no, feature_vector)
        select
            current_id,
            m.listing_no,
            m.feature_vector::real[]
        from ml.project_listings(current_id, wanted[first:first + step - 1]) as m
        order by m.listing_no
        on conflict (model_id, listing_no) do update
        set feature_vector = excluded.feature_vector
        where v.feature_vector is distinct from excluded.feature_vector;
        first := first + step;
    end loop;
end;
$$;

comment on function ml.write_listing_vectors is
'Writes the vectors of these listings under the model in force, if there is one.';

revoke execute on function ml.write_listing_vectors from public;
