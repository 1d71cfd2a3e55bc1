-- The user's feed as the service asks for it, packed: the listings' uuids in its order.

select coalesce(string_agg(uuid_send(f.listing_id), ''::bytea order by f.rank), ''::bytea) as feed
from api.get_feed(%(user_uid)s, %(limit)s, %(profile)s, %(as_of)s) as f;
