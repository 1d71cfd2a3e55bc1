-- Other writers wait until the load is committed; readers do not notice.
--
-- A load writes rows of every user and listing in several statements, so it cannot take row
-- locks in one order throughout. It takes the tables instead, in the order in which every
-- writer comes to them, and holds nothing while it waits for the first. Users in a stronger
-- mode: writers of interactions lock user rows before they come to the log.

lock table feed.users in exclusive mode;

lock table
    feed.user_feed_preferences,
    feed.posters,
    feed.listings,
    feed.user_interactions,
    feed.interaction_keys,
    feed.user_listing_states,
    feed.engagement_metrics
in share row exclusive mode;
