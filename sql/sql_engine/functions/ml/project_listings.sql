-- The vectors of listings under a model, from its stored projections: what
-- python/pgfeed/projection.py makes, to the last digits of float32.
--
-- Called by   ml.write_listing_vectors
-- Reads       ml.tag_projections, ml.location_clusters, ml.models.parameters
-- Costs       the tags of a listing times the tag dimensions, and the clusters

create or replace function ml.project_listings(model_id integer, listing_nos integer[])
returns table (listing_no integer, feature_vector text)
language sql
stable
begin atomic
    with model as (
        select
            m.parameters,
            (m.parameters #>> '{blocks,tags,length}')::integer as tag_count,
            (m.parameters #>> '{blocks,location,length}')::integer as cluster_count,
            (m.parameters #>> '{blocks,tags,weight}')::double precision as tag_weight,
            (m.parameters #>> '{blocks,location,weight}')::double precision as location_weight,
            (m.parameters #>> '{blocks,compensation,weight}')::double precision
                as compensation_weight,
            (m.parameters #>> '{blocks,poster,weight}')::double precision as poster_weight,
            (m.parameters ->> 'scaled_value_limit')::double precision as value_limit
        from ml.models as m
        where m.model_id = project_listings.model_id
    ),

    wanted as materialized (
        select f.*
        from ml.listing_facts as f
        where f.listing_no = any(project_listings.listing_nos)
    ),

    -- float32 leaves their lengths a little off 1, which would outweigh a kilometre
    centres as materialized (
        select
            c.cluster_no,
            c.centre[1] / n.length as x,
            c.centre[2] / n.length as y,
            c.centre[3] / n.length as z
        from ml.location_clusters as c
        cross join
            lateral (
                select
                    sqrt(
                        power(c.centre[1]::double precision, 2)
                        + power(c.centre[2]::double precision, 2)
                        + power(c.centre[3]::double precision, 2)
                    ) as length
            ) as n
        where c.model_id = project_listings.model_id
    ),

    parts as (
        -- the sum of idf · vector over the tags, at unit length
        select
            t.listing_no,
            t.place::integer as place,
            m.tag_weight * t.value / nullif(sqrt(sum(t.value * t.value) over of_listing), 0)
                as value,
            sqrt(sum(t.value * t.value) over of_listing) as length
        from (
            select
                w.listing_no,
                v.place,
                sum(v.value::double precision * p.idf) as value
            from wanted as w
            cross join lateral unnest(w.tags) as g (tag)
            inner join ml.tag_projections as p
                on
                    g.tag = p.tag
                    and p.model_id = project_listings.model_id
            cross join lateral unnest(p.vector) with ordinality as v (value, place)
            group by w.listing_no, v.place
        ) as t
        cross join model as m
        window of_listing as (partition by t.listing_no)
        union all
        -- 1 for the nearest cluster
        select
            w.listing_no,
            m.tag_count + n.cluster_no + 1,
            m.location_weight,
            1
        from wanted as w
        cross join model as m
        cross join
            lateral (
                select c.cluster_no
                from centres as c
                order by
                    cos(radians(w.latitude)) * cos(radians(w.longitude)) * c.x
                    + cos(radians(w.latitude)) * sin(radians(w.longitude)) * c.y
                    + sin(radians(w.latitude)) * c.z desc,
                    c.cluster_no asc
                limit 1
            ) as n
        where w.latitude <> 'NaN'
        union all
        -- log pay, standardised within its currency
        select
            w.listing_no,
            m.tag_count + m.cluster_count + 1,
            m.compensation_weight * greatest(
                least(
                    (ln(1 + w.compensation) - (s.scaler ->> 'mean')::double precision)
                    / (s.scaler ->> 'scale')::double precision,
                    m.value_limit
                ),
                -m.value_limit
            ),
            1
        from wanted as w
        cross join model as m
        cross join
            lateral (
                select
                    m.parameters #> array['compensation_scalers', coalesce(w.currency, '')]
                        as scaler
            ) as s
        where
            w.compensation <> 'NaN'
            and s.scaler is not null
        union all
        select
            w.listing_no,
            m.tag_count + m.cluster_count + 2,
            m.poster_weight * greatest(
                least(
                    (w.poster_score - (m.parameters #>> '{poster_scaler,mean}')::double precision)
                    / (m.parameters #>> '{poster_scaler,scale}')::double precision,
                    m.value_limit
                ),
                -m.value_limit
            ),
            1
        from wanted as w
        cross join model as m
        where
            w.poster_score <> 'NaN'
            and m.parameters #>> '{poster_scaler,mean}' is not null
    ),

    known as (
        select
            p.listing_no,
            p.place,
            p.value,
            sqrt(sum(p.value * p.value) over (partition by p.listing_no)) as length
        from parts as p
        -- shorter is rounding error, not information
        where p.length >= 1e-6
    )

    select
        w.listing_no,
        case
            when count(k.place) > 0
                then array_agg(coalesce(k.value / k.length, 0)::real order by d.place)::text
        end
    from wanted as w
    cross join model as m
    cross join lateral generate_series(1, m.tag_count + m.cluster_count + 2) as d (place)
    left join known as k
        on
            w.listing_no = k.listing_no
            and d.place = k.place
            and k.length >= 1e-6
    group by w.listing_no;
end;

comment on function ml.project_listings is
'One row for each of the listings that exists; feature_vector is a real[] as text, null if
nothing is known of the listing.';

revoke execute on function ml.project_listings from public;
