-- feed.count_text

begin;
select plan(3);

select is(feed.count_text(0, 'save', 'saves'), '0 saves', 'none is many');
select is(feed.count_text(1, 'save', 'saves'), '1 save', 'one is one');
select is(feed.count_text(2, 'save', 'saves'), '2 saves', 'two are many');

select finish();
rollback;
