-- What an analyst may do: read the schema analytics.

grant usage on schema analytics to feed_analyst;

grant select on analytics.trending_listings to feed_analyst;
grant select on analytics.listing_engagement to feed_analyst;
grant select on analytics.job_health to feed_analyst;
-- A view does not lend its owner's right to execute a function.
grant execute on function jobs.lock_key(text) to feed_analyst;
