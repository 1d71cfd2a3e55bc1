-- feed.user_choices: what the user chose, as interest

begin;
select plan(9);

create function tests.choices(name text)
returns table (title text, interest numeric, last_at timestamptz)
language sql
begin atomic
    select
        l.title,
        round(c.interest::numeric, 9),
        c.last_at
    from feed.user_choices(tests.user_uid(choices.name), '2026-06-01 12:00Z') as c
    inner join feed.listings as l using (listing_no);
end;

select tests.user(n)
from unnest(array['ann', 'bob']) as n;
select tests.poster('ann');
select tests.listing(l, created_at => '2026-01-01')
from unnest(array['bicycle', 'kayak', 'piano', 'drum', 'oar']) as l;
select tests.listing('own', poster => 'ann', created_at => '2026-01-01');

select is_empty('select * from tests.choices(''ann'')', 'who did nothing chose nothing');
select is_empty('select * from tests.choices(''nobody'')', 'nor did who is not known');

select tests.interaction('ann', 'bicycle', 'apply', '2026-05-20 12:00Z');
select tests.interaction('ann', 'bicycle', 'view', '2026-05-25 12:00Z');
select tests.interaction('ann', 'kayak', 'click', '2025-12-01 12:00Z');
select tests.interaction('ann', 'piano', 'save', '2026-05-20 12:00Z');
select tests.interaction('ann', 'piano', 'dismiss', '2026-05-21 12:00Z');
select tests.interaction('ann', 'drum', 'save', '2026-06-01 12:00Z');
select tests.interaction('ann', 'oar', 'save', '2026-06-01 12:00:00.000001Z');
select tests.interaction('ann', 'own', 'save', '2026-05-20 12:00Z');
select tests.interaction('bob', 'bicycle', 'save', '2026-05-20 12:00Z');

select results_eq(
    'select * from tests.choices(''ann'') order by title',
    $$
    values
    ('bicycle', 1.000000000, timestamptz '2026-05-25 12:00Z'),
    ('drum', 0.500000000, '2026-06-01 12:00Z'),
    ('kayak', 0.200000000, '2025-12-01 12:00Z')
    $$,
    'a choice has the weight of the strongest interaction and the time of the latest; what was
dismissed, one''s own, and what is after as_of are none'
);

update feed.interaction_weights
set weight = -1
where type = 'click';

select is_empty(
    'select * from tests.choices(''ann'') where title = ''kayak''',
    'what speaks against a listing is no choice'
);

update feed.interaction_weights
set weight = 0
where type = 'click';

select is_empty(
    'select * from tests.choices(''ann'') where title = ''kayak''', 'nor is what says nothing'
);

update feed.interaction_weights
set weight = 10
where type = 'save';

select is(
    (
        select c.interest from tests.choices('ann') as c
        where c.title = 'drum'
    ),
    1.0,
    'interest follows the weights'
);
select is((select count(*) from tests.choices('bob')), 1::bigint, 'others have their own');

insert into feed.user_feed_preferences (user_uid, personalization_enabled)
values (tests.user_uid('ann'), false);

select is_empty(
    'select * from tests.choices(''ann'')', 'with personalization off nothing is a choice'
);

select tests.act_as('bob');
select api.delete_my_data();
reset role;

select is_empty('select * from tests.choices(''bob'')', 'deleting one''s data leaves none');

select finish();
rollback;
