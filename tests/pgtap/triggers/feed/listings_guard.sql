-- feed.tg_listings__guard: normal form, and what never changes

begin;
select plan(21);

select tests.listing(
    'bicycle', poster => 'pat', tags => array[' Bike', 'bike', 'JAZZ '], created_at => '2026-01-01'
);

select is(
    (select l.tags from feed.listings as l), '{bike,jazz}', 'tags are normalised as they come'
);

update feed.listings
set tags = array['Ski ', 'alps'];

select is(
    (select l.tags from feed.listings as l), '{alps,ski}', 'and as they change'
);

update feed.listings
set tags = null;

select is((select l.tags from feed.listings as l), '{}', 'no tags are an empty set');

update feed.listings
set created_at = now(), title = 'renewed';

select is(
    (select l.created_at from feed.listings as l),
    '2026-01-01'::timestamptz,
    'a listing cannot be renewed'
);
select is(
    (select l.title from feed.listings as l), 'renewed', 'though all else changes'
);

select is_refused(c.query, '23001', 'a listing keeps its poster', c.description)
from
    (
        values
        (
            $$select tests.poster('quin');
            update feed.listings set poster_uid = tests.user_uid('quin')$$,
            'a listing is not handed on'
        ),
        (
            $$update feed.listings set poster_uid = null$$,
            'nor left without a poster'
        )
    ) as c (query, description);

select tests.listing('orphan');

select is_refused(
    $$update feed.listings set poster_uid = tests.user_uid('pat') where title = 'orphan'$$,
    '23001',
    'a listing keeps its poster',
    'and one without a poster gets none'
);

-- a poster whose data are deleted
select tests.listing('kayak', poster => 'dot', tags => '{river}');

delete from feed.posters
where poster_uid = tests.user_uid('dot');

select is(
    (
        select l.poster_uid from feed.listings as l
        where l.title = 'kayak'
    ),
    null,
    'a poster who is gone is taken out of their listings'
);
select is_refused(
    $$update feed.listings set poster_uid = tests.user_uid('pat') where title = 'kayak'$$,
    '23001',
    'a listing keeps its poster',
    'which nobody can take over'
);

-- the transaction of the last change of what is ranked
update feed.listings
set changed_xid = '3'
where title = 'renewed';

select is(
    (
        select l.changed_xid from feed.listings as l
        where l.title = 'renewed'
    ),
    '3'::xid8,
    'without a change of what is ranked, changed_xid is as written'
);

create function tests.changes(change text)
returns boolean
language plpgsql
as $$
declare
    has_changed boolean;
begin
    update feed.listings set changed_xid = '3' where title = 'orphan';
    execute 'update feed.listings set ' || change || $q$ where title = 'orphan'$q$;
    select l.changed_xid = pg_current_xact_id() into has_changed
    from feed.listings as l
    where l.title = 'orphan';
    return has_changed;
end;
$$;

select is(tests.changes(c.change), c.is_ranked, c.description)
from
    (
        values
        ('tags = ''{a}''', true, 'tags change what is ranked'),
        ('tags = ''{A}''', false, 'the same tags do not'),
        (
            'location = ext.st_setsrid(ext.st_makepoint(8, 47), 4326)::ext.geography',
            true,
            'the place does'
        ),
        ('compensation = 5', true, 'the pay does'),
        ('status = ''closed''', true, 'closing does'),
        ('expires_at = now()', true, 'an end does'),
        ('description = ''new''', false, 'a description does not'),
        ('title = title', false, 'a no-op does not')
    ) as c (change, is_ranked, description);

select is(
    (
        select l.changed_xid from feed.listings as l
        where l.title = 'orphan'
    ),
    '3'::xid8,
    'so the last of them left it'
);

select tests.listing('new');

select is(
    (
        select l.changed_xid from feed.listings as l
        where l.title = 'new'
    ),
    pg_current_xact_id(),
    'a new listing is a change'
);

select finish();
rollback;
