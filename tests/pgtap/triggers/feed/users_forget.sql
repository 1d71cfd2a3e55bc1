-- feed.users: who is deleted leaves the neighbor lists of others

begin;
select plan(2);

select tests.user(name)
from unnest(array['ann', 'bob', 'cid']) as name;
select tests.neighbors('ann', array['bob', 'cid'], array[0.9, 0.8]);
select tests.neighbors('bob', array['ann'], array[0.9]);
select tests.user_vector('bob', array[1]);

delete from feed.users
where user_uid = tests.user_uid('bob');

select results_eq(
    'select neighbor_nos from ml.user_neighbors',
    'select array[tests.user_no(''cid'')]',
    'the others'' lists are without them, and their own is gone'
);
select is_empty('select user_no from ml.user_vectors', 'their vector is gone');

select finish();
rollback;
