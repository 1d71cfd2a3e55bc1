-- feed.payload_hash: the same content, the same hash

begin;
select plan(6);

select is(
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{"a": 1, "b": 2}'),
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{"b": 2, "a": 1}'),
    'the order of the keys is no content'
);
select isnt(
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{}'),
    feed.payload_hash(tests.listing_id('kayak'), 'view', '{}'),
    'another listing is another content'
);
select isnt(
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{}'),
    feed.payload_hash(tests.listing_id('bicycle'), 'click', '{}'),
    'another type is another content'
);
select isnt(
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{"seconds": 1}'),
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{"seconds": 2}'),
    'another metadata is another content'
);
select isnt(
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{"seconds": 1}'),
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{"seconds": "1"}'),
    'a number is not a string'
);
select ok(
    feed.payload_hash(tests.listing_id('bicycle'), 'view', '{}') is not null,
    'every event has a hash'
);

select finish();
rollback;
