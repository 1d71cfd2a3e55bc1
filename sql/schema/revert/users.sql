begin;

drop table feed.user_feed_preferences;
drop table feed.users;
drop function feed.normalized_tags;

commit;
