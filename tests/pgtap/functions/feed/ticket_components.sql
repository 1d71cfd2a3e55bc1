-- feed.ticket_components: every component has its place

begin;
select plan(3);

select is(
    feed.ticket_components(1, 0, 0, 0, 0, 0, 0, 0, 0.5),
    'fffe' || repeat('0000', 7) || '7fff',
    'one after the other'
);
select is(
    feed.ticket_components(1, null, 0, 0, 0, 0, 0, 0, 0.5),
    'fffeffff' || repeat('0000', 6) || '7fff',
    'one that was not computed keeps its place'
);
select is(
    length(feed.ticket_components(1, 0, 0, 0, 0, 0, 0, 0, 0.5)),
    4 * cardinality(feed.component_names()),
    'there are as many as names'
);

select finish();
rollback;
