-- feed.tg_user_feed_preferences__normalize

begin;
select plan(4);

select tests.user('ann', preferred_tags => array[' Bike', 'bike'], blocked_tags => array['MEAT ']);

select results_eq(
    $$select preferred_tags, blocked_tags from feed.user_feed_preferences$$,
    $$values ('{bike}'::text[], '{meat}'::text[])$$,
    'both sets are normalised as they come'
);

update feed.user_feed_preferences
set preferred_tags = array['', 'Jazz'], blocked_tags = null, updated_at = '2020-01-01';

select results_eq(
    $$select preferred_tags, blocked_tags from feed.user_feed_preferences$$,
    $$values ('{jazz}'::text[], '{}'::text[])$$,
    'and as they change'
);
select is(
    (select p.updated_at from feed.user_feed_preferences as p),
    now(),
    'the time of the change is the server''s'
);
select throws_ok(
    $$update feed.user_feed_preferences set blocked_tags = array['JAZZ']$$,
    '23514',
    null,
    'a tag is not both, however it is written'
);

select finish();
rollback;
