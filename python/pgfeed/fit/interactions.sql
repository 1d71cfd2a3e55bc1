-- interactions.csv of the database: the log, as far as it is kept. The same at the same time is
-- one event in the layout.

select
    i.user_uid,
    i.listing_id,
    i.type,
    to_char(i.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ts,
    max((i.metadata ->> 'seconds')::numeric) as seconds
from feed.user_interactions as i
group by i.user_uid, i.listing_id, i.type, i.created_at
order by i.created_at, i.user_uid, i.listing_id, i.type
