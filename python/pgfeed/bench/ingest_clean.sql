-- Everything of ingest.sql is gone. Past the triggers: what they would undo goes, too.

begin;
set local session_replication_role = replica;

delete from feed.engagement_metrics
where listing_id between :first and :last;

delete from feed.user_listing_states as s
using feed.users as u
where s.user_no = u.user_no and u.user_uid between :first and :last;

delete from feed.interaction_keys
where user_uid between :first and :last;

delete from feed.user_interactions
where user_uid between :first and :last;

delete from ml.listing_vectors as v
using feed.listings as l
where v.listing_no = l.listing_no and l.listing_id between :first and :last;

delete from feed.listing_changes as c
using feed.listings as l
where c.listing_no = l.listing_no and l.listing_id between :first and :last;

delete from feed.listings
where listing_id between :first and :last;

delete from feed.users
where user_uid between :first and :last;

drop schema if exists bench_ingest cascade;
commit;
