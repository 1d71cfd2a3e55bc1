-- feed.component_facts: the fact behind each component, in words

begin;
select plan(31);

-- the fact of a component of a listing
create function tests.fact(
    listing text,
    component text,
    distance_km double precision default null,
    matched_tag_count integer default 0,
    has_inferred_tags boolean default false,
    neighbor_count integer default 0,
    content_score double precision default 0,
    poster_choice_count integer default 0,
    similar_choice_count integer default 0
)
returns text
language sql
begin atomic
    select
        feed.component_facts(
            l,
            m,
            o,
            fact.distance_km,
            fact.matched_tag_count,
            fact.has_inferred_tags,
            fact.neighbor_count,
            fact.content_score,
            fact.poster_choice_count,
            fact.similar_choice_count,
            '2026-06-01 12:00Z'
        ) ->> fact.component
    from feed.listings as l
    left join feed.engagement_metrics as m using (listing_id)
    left join feed.posters as o using (poster_uid)
    where l.listing_id = tests.listing_id(fact.listing);
end;

select tests.listing(
    'bicycle', tags => '{a,b,c}', lat => 47, lon => 8, created_at => '2026-05-29 11:00Z'
);
select tests.listing('remote', tags => '{a}', created_at => '2026-06-01 12:00Z');

select is(
    tests.fact('bicycle', 'location', distance_km => 1.92), '1.9 km away', 'the distance is said'
);
select is(
    tests.fact('remote', 'location'), 'not tied to a place', 'a listing without a place says so'
);
select is(
    tests.fact('bicycle', 'location'),
    'we do not know where you are',
    'and so does one for a user without a place'
);
select is(
    tests.fact('bicycle', 'tag', matched_tag_count => 2),
    '2 of 3 tags are yours',
    'tags are counted'
);
select is(
    tests.fact('bicycle', 'tag', matched_tag_count => 1), '1 of 3 tags is yours', 'one tag is one'
);
select is(
    tests.fact('remote', 'tag', matched_tag_count => 1), '1 of 1 tag is yours', 'of one is one'
);
select is(
    tests.fact('bicycle', 'tag', matched_tag_count => 2, has_inferred_tags => true),
    '2 of 3 tags you often choose',
    'inferred tags are not called the user''s'
);
select is(
    tests.fact('bicycle', 'engagement'), 'nobody has seen it yet', 'no engagement is said'
);

select tests.user(n)
from unnest(array['ann', 'bob']) as n;
select tests.interaction('ann', 'bicycle', 'dismiss', '2026-05-30 10:00Z');

select is(
    tests.fact('bicycle', 'engagement'),
    'nobody has seen it yet',
    'a dismissal is no fact to boast of'
);

select tests.interaction(u, 'bicycle', t.type, '2026-05-30 11:00Z')
from unnest(array['ann', 'bob']) as u
cross join unnest(array['view', 'save']::feed.interaction_type[]) as t (type);
select tests.interaction('ann', 'bicycle', t.type, '2026-05-30 11:00Z')
from unnest(array['apply', 'share', 'click']::feed.interaction_type[]) as t (type);

select is(
    tests.fact('bicycle', 'engagement'),
    '1 application, 2 saves, 1 share, 1 click, 2 views',
    'what counts is said, the strongest first'
);
select tests.listing('one ' || t)
from unnest(array['apply', 'save', 'share', 'click', 'view']) as t;
select tests.interaction('ann', 'one ' || t.type, t.type, '2026-05-30 11:00Z')
from unnest(array['apply', 'save', 'share', 'click', 'view']::feed.interaction_type[]) as t (type);

select is(tests.fact('one ' || c.type, 'engagement'), c.fact, c.fact || ' alone is said')
from
    (
        values
        ('apply', '1 application'),
        ('save', '1 save'),
        ('share', '1 share'),
        ('click', '1 click'),
        ('view', '1 view')
    ) as c (type, fact);
select is(tests.fact('bicycle', 'recency'), 'posted 3 days ago', 'the age is said');
select is(tests.fact('remote', 'recency'), 'posted just now', 'as is its newness');
select is(tests.fact('bicycle', 'poster'), 'poster unknown', 'nobody posted it');

select tests.poster('new');
select tests.poster('rated', 4.75, 12, 0, 0);
select tests.poster('unrated', null, 0, 4, 3);
select tests.poster('known', 3.999, 1, 1, 1);
select tests.poster('odd', null, 3, 0, 0);
select tests.listing('by ' || p, poster => p)
from unnest(array['new', 'rated', 'unrated', 'known', 'odd']) as p;

select is(tests.fact('by ' || c.poster, 'poster'), c.fact, 'a poster who is ' || c.poster)
from
    (
        values
        ('new', 'a new poster'),
        ('rated', 'poster rated 4.8 by 12'),
        ('unrated', 'poster not rated yet, 3 of 4 deals completed'),
        ('known', 'poster rated 4.0 by 1, 1 of 1 deal completed'),
        ('odd', 'poster not rated yet')
    ) as c (poster, fact);

select is(
    tests.fact('bicycle', 'collaborative', neighbor_count => 1),
    '1 user with a taste like yours chose it',
    'one similar user is one'
);
select is(
    tests.fact('bicycle', 'collaborative', neighbor_count => 7),
    '7 users with a taste like yours chose it',
    'seven are seven'
);
select is(
    tests.fact('bicycle', 'content', content_score => 0.876),
    '88 % like what you chose before',
    'likeness is in hundredths'
);
select is(
    tests.fact('by new', 'poster_affinity', poster_choice_count => 3),
    'you chose 3 listings of this poster',
    'what the user chose of the poster is counted'
);
select is(
    tests.fact('bicycle', 'poster_affinity', poster_choice_count => 0),
    'poster unknown',
    'of nobody there is nothing to count'
);
select is(
    tests.fact('bicycle', 'item_similarity', similar_choice_count => 2),
    'goes with 2 listings you chose lately',
    'so is what it goes with'
);
select is(
    tests.fact('bicycle', 'item_similarity', similar_choice_count => 1),
    'goes with 1 listing you chose lately',
    'one listing is one'
);
select is(
    (
        select count(*) from jsonb_object_keys(
                (
                    select feed.component_facts(l, null, null, 1, 0, false, 0, 0, 0, 0, now())
                    from feed.listings as l
                    where l.listing_id = tests.listing_id('bicycle')
                )
            )
    ),
    9::bigint,
    'there is a fact for each of the nine, even without counters or poster'
);
select finish();
rollback;
