-- Why a listing stands where it does: the facts of its two largest contributions.
--
-- Called by   api.get_feed, api.explain_listing

create or replace function feed.reason(components jsonb, facts jsonb)
returns text
language sql
immutable
parallel safe
return (
    select coalesce(string_agg(f.fact, '; ' order by f.position), 'nothing speaks for it yet')
    from (
        select
            facts ->> c.name as fact,
            row_number() over (
                order by (components -> c.name ->> 'contribution')::double precision desc, c.n asc
            ) as position
        from unnest(
                array[
                    'location', 'tag', 'engagement', 'recency', 'poster', 'collaborative', 'content'
                ]
            ) with ordinality as c (name, n)
        where (components -> c.name ->> 'contribution')::double precision > 0
    ) as f
    where f.position <= 2
);

comment on function feed.reason is
'The facts of the two components that contribute most, largest first: "1.9 km away; 4 of 6
tags are yours".';
