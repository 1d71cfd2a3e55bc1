-- Counting, compared with a plain recount, through a long random history of inserts and
-- deletions of one row and of many.

begin;
select plan(7);

select setseed(0.25);

select tests.user('user ' || n)
from generate_series(1, 4) as n;
select tests.listing('thing ' || n, poster => 'user ' || n % 5)
from generate_series(1, 4) as n;

select feed.ensure_partitions('2026-03-01', '2026-06-01');

-- The rules of section 4, said again: of each hour one, of apply, save and dismiss one ever.
create view tests.recount as
select
    c.listing_id,
    count(*) filter (where c.type = 'view') as view_count,
    count(*) filter (where c.type = 'click') as click_count,
    count(*) filter (where c.type = 'apply') as apply_count,
    count(*) filter (where c.type = 'save') as save_count,
    count(*) filter (where c.type = 'share') as share_count,
    count(*) filter (where c.type = 'dismiss') as dismiss_count
from (
    select distinct
        i.listing_id,
        i.user_uid,
        i.type,
        case
            when i.type not in ('apply', 'save', 'dismiss')
                then to_char(i.created_at at time zone 'UTC', 'YYYY-MM-DD HH24')
        end as hour
    from feed.user_interactions as i
    inner join feed.listings as l using (listing_id)
    where l.poster_uid is distinct from i.user_uid
) as c
group by c.listing_id;

create view tests.restated as
select
    u.user_no,
    l.listing_no,
    count(*) filter (where i.type = 'view') as view_count,
    count(*) filter (where i.type = 'click') as click_count,
    count(*) filter (where i.type = 'apply') as apply_count,
    count(*) filter (where i.type = 'save') as save_count,
    count(*) filter (where i.type = 'share') as share_count,
    count(*) filter (where i.type = 'dismiss') as dismiss_count,
    max(
        case i.type
            when 'apply' then 10
            when 'save' then 5
            when 'share' then 3
            when 'click' then 2
            when 'view' then 1
            when 'dismiss' then -5
        end
    ) as strongest_weight,
    bool_or(i.type = 'dismiss') as is_dismissed,
    min(i.created_at) filter (where i.type = 'apply') as applied_at,
    min(i.created_at) filter (where i.type = 'save') as saved_at,
    min(i.created_at) filter (where i.type = 'dismiss') as dismissed_at,
    max(i.created_at) as last_at
from feed.user_interactions as i
inner join feed.users as u using (user_uid)
inner join feed.listings as l using (listing_id)
where l.poster_uid is distinct from i.user_uid
group by u.user_no, l.listing_no;

create temporary table mistakes (step integer, what text, fact text);
create temporary table steps (step integer, inserted integer, deleted integer);

-- Two hours on either side of a month's end, in steps of ten minutes: many rows meet.
do $$
declare
    inserted integer;
    deleted integer;
begin
    for step in 1..150
    loop
        insert into feed.user_interactions (user_uid, listing_id, type, created_at)
        select
            tests.user_uid('user ' || 1 + (random() * 3)::integer),
            tests.listing_id('thing ' || 1 + (random() * 3)::integer),
            (enum_range(null::feed.interaction_type))[1 + floor(random() * 6)::integer],
            timestamptz '2026-03-31 22:00Z' + floor(random() * 24) * interval '10 minutes'
        from generate_series(1, case when random() < 0.5 then 1 else (random() * 12)::integer end);
        get diagnostics inserted = row_count;

        delete from feed.user_interactions as i
        where i.event_id in (
            select d.event_id
            from feed.user_interactions as d
            where random() < case when step % 10 = 0 then 0.5 else 0.02 end
        );
        get diagnostics deleted = row_count;

        insert into steps values (step, inserted, deleted);

        insert into mistakes
        select step, 'counter', to_jsonb(m)::text
        from (
            select
                m.listing_id, m.view_count, m.click_count, m.apply_count, m.save_count,
                m.share_count, m.dismiss_count
            from feed.engagement_metrics as m
            where m.view_count + m.click_count + m.apply_count + m.save_count + m.share_count
                + m.dismiss_count > 0
            except
            select * from tests.recount
        ) as m
        union all
        select step, 'recount', to_jsonb(r)::text
        from (
            select * from tests.recount
            except
            select
                m.listing_id, m.view_count, m.click_count, m.apply_count, m.save_count,
                m.share_count, m.dismiss_count
            from feed.engagement_metrics as m
        ) as r
        union all
        select step, 'view', to_jsonb(w)::text
        from tests.wrong_counters as w
        union all
        select step, 'state', to_jsonb(s)::text
        from (
            (
                select
                    s.user_no, s.listing_no, s.view_count, s.click_count, s.apply_count,
                    s.save_count, s.share_count, s.dismiss_count, s.strongest_weight,
                    s.is_dismissed, s.applied_at, s.saved_at, s.dismissed_at, s.last_at
                from feed.user_listing_states as s
                except
                select * from tests.restated
            )
            union all
            (
                select * from tests.restated
                except
                select
                    s.user_no, s.listing_no, s.view_count, s.click_count, s.apply_count,
                    s.save_count, s.share_count, s.dismiss_count, s.strongest_weight,
                    s.is_dismissed, s.applied_at, s.saved_at, s.dismissed_at, s.last_at
                from feed.user_listing_states as s
            )
        ) as s
        union all
        select step, 'key', to_jsonb(k)::text
        from (
            (
                select k.user_uid, k.event_id, k.created_at from feed.interaction_keys as k
                except
                select i.user_uid, i.event_id, i.created_at from feed.user_interactions as i
            )
            union all
            (
                select i.user_uid, i.event_id, i.created_at from feed.user_interactions as i
                except
                select k.user_uid, k.event_id, k.created_at from feed.interaction_keys as k
            )
        ) as k;
    end loop;
end;
$$;

select ok(
    (
        select
            count(*) filter (where s.inserted > 1) > 30
            and count(*) filter (where s.deleted > 1) > 30
        from steps as s
    ),
    'the history has many statements of many rows, in either direction'
);
select
    is_empty(
        format($q$select step, fact from mistakes where what = %L$q$, c.what), c.description
    )
from
    (
        values
        ('counter', 'no counter says more or less than a recount, after any step'),
        ('recount', 'nothing that counts is missing from the counters'),
        ('view', 'feed.expected_engagement says the same'),
        ('state', 'every state is that of its pair''s rows'),
        ('key', 'keys and events are one to one')
    ) as c (what, description);

delete from feed.user_interactions;

select is(tests.snapshot(), null, 'with the log empty, nothing is left');

select finish();
rollback;
