-- feed.weighted_components: value, weight and contribution of each

begin;
select plan(4);

select
    is(
        feed.weighted_components(p, 0.5, 0.25, 1, 0, 0.75, 0.1, 0.2, 0.5, 0.3),
        '{"location": {"value": 0.5, "weight": 0.25, "contribution": 0.125},
      "tag": {"value": 0.25, "weight": 0.2, "contribution": 0.05},
      "engagement": {"value": 1, "weight": 0.15, "contribution": 0.15},
      "recency": {"value": 0, "weight": 0.1, "contribution": 0},
      "poster": {"value": 0.75, "weight": 0.1, "contribution": 0.07500000000000001},
      "collaborative": {"value": 0.1, "weight": 0.1, "contribution": 0.010000000000000002},
      "content": {"value": 0.2, "weight": 0.1, "contribution": 0.020000000000000004},
      "poster_affinity": {"value": 0.5, "weight": 0, "contribution": 0},
      "item_similarity": {"value": 0.3, "weight": 0, "contribution": 0}}'::jsonb,
        'each component has its own value and weight'
    )
from feed.ranking_profiles as p
where p.profile_name = 'default';
select
    is(
        feed.weighted_components(
            jsonb_populate_record(
                p, '{"location_weight": 0, "content_weight": 0.35}'
            ),
            1, 1, 1, 1, 1, 1, 1, 1, 1
        ) #>> '{content,contribution}',
        '0.35',
        'the weights are the profile''s'
    )
from feed.ranking_profiles as p
where p.profile_name = 'default';
select
    is(
        feed.weighted_components(
            jsonb_populate_record(
                p, '{"poster_affinity_weight": 0.25, "item_similarity_weight": 0.5}'
            ),
            1, 1, 1, 1, 1, 1, 1, 0.5, 0.25
        ) - array[
            'location', 'tag', 'engagement', 'recency', 'poster', 'collaborative', 'content'
        ],
        '{"poster_affinity": {"value": 0.5, "weight": 0.25, "contribution": 0.125},
      "item_similarity": {"value": 0.25, "weight": 0.5, "contribution": 0.125}}'::jsonb,
        'of all nine'
    )
from feed.ranking_profiles as p
where p.profile_name = 'default';
select
    set_eq(
        $$
        select k
        from feed.ranking_profiles as p
        cross join jsonb_object_keys(
            feed.weighted_components(p, 1, 1, 1, 1, 1, 1, 1, null, null)
        ) as k
        where p.profile_name = 'default'
        $$,
        $$
        values ('location'), ('tag'), ('engagement'), ('recency'), ('poster'),
        ('collaborative'), ('content')
        $$,
        'what was not computed is left out'
    );

select finish();
rollback;
