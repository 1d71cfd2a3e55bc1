-- The content component of a listing, with the length of the user's own vector known already.
--
-- A table of one row, because the planner inlines that: feed.content_score is called, and costs ten
-- times as much.
--
-- Called by   feed.best_listings

create or replace function feed.listing_content(
    listing_no integer,
    model_id integer,
    own_vector real[],
    own_length double precision
)
returns table (content_score double precision)
language sql
stable
parallel safe
begin atomic
    -- greatest() passes over null: without a vector it is 0.
    select
        least(
            greatest(
                sum(w.x::double precision * w.y::double precision)
                / nullif(
                    listing_content.own_length
                    * sqrt(sum(w.y::double precision * w.y::double precision)),
                    0
                ),
                0
            ),
            1
        )
    from ml.listing_vectors as v
    cross join lateral unnest(listing_content.own_vector, v.feature_vector) as w (x, y)
    where
        v.listing_no = listing_content.listing_no
        and v.model_id = listing_content.model_id;
end;

comment on function feed.listing_content is
'How like a listing is to what the user chose before, in [0,1]; 0 if either has no vector.';
