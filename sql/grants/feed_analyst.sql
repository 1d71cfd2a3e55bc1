-- What an analyst may do: read the schema analytics, in SQL and over HTTP.

grant usage on schema analytics to feed_analyst;

grant select on analytics.trending_listings to feed_analyst;
grant select on analytics.listing_engagement to feed_analyst;
grant select on analytics.job_health to feed_analyst;
grant select on analytics.job_runs to feed_analyst;
grant select on analytics.trending_course to feed_analyst;
grant select on analytics.daily_metrics to feed_analyst;
grant select on analytics.funnel to feed_analyst;
grant select on analytics.feed_quality to feed_analyst;
grant select on analytics.quality_by_day to feed_analyst;
grant select on analytics.quality_by_profile to feed_analyst;
grant select on analytics.quality_by_position to feed_analyst;
grant select on analytics.quality_by_city to feed_analyst;
grant select on analytics.experiment_results to feed_analyst;
grant select on analytics.coverage to feed_analyst;
grant select on analytics.coverage_course to feed_analyst;
grant select on analytics.component_distribution to feed_analyst;
grant select on analytics.engagement_inequality to feed_analyst;
grant select on analytics.feed_latency to feed_analyst;
grant select on analytics.view_definitions to feed_analyst;

-- What PostgREST asks before every request.
grant usage on schema identity to feed_analyst;
grant execute on function identity.check_request() to feed_analyst;
grant execute on function identity.claims() to feed_analyst;
grant execute on function identity.user_uid() to feed_analyst;
grant execute on function identity.caller_role() to feed_analyst;

-- A view does not lend its owner's right to execute a function.
grant execute on function jobs.lock_key(text) to feed_analyst;
grant execute on function ops.bucket_latency(smallint) to feed_analyst;
grant execute on function ops.view_sql(oid) to feed_analyst;
