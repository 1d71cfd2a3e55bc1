begin;

drop table feed.user_listing_states;
drop table feed.interaction_keys;
drop table feed.user_interactions;
drop table feed.interaction_weights;
drop type feed.interaction_type;

commit;
