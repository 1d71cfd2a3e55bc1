-- The components that speak most for a listing.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function feed.leading_components(components jsonb)
returns table (component_names text[])
language sql
immutable
parallel safe
begin atomic
    select array_agg(f.name)
    from (
        select c.name
        from unnest(feed.component_names()) with ordinality as c (name, n)
        cross join
            lateral (
                select
                    (
                        leading_components.components -> c.name ->> 'contribution'
                    )::double precision as contribution
            ) as v
        where v.contribution > 0
        order by v.contribution desc, c.n asc
        limit 2
    ) as f;
end;

comment on function feed.leading_components is
'Names of the two components with the largest contributions, largest first, ties in the order
of the formula; fewer if fewer contribute, null if none does. One row.';
