-- feed.engagement_points: Σ weight · count

begin;
select plan(10);

select
    is_near(
        feed.engagement_points(
            jsonb_populate_record(null::feed.engagement_metrics, to_jsonb(c)), w
        ),
        c.points,
        c.description
    )
from feed.engagement_weights as w
cross join (
    values
    (1, 0, 0, 0, 0, 0, 1, 'a view is a point'),
    (0, 1, 0, 0, 0, 0, 2, 'a click is two'),
    (0, 0, 1, 0, 0, 0, 10, 'an application is ten'),
    (0, 0, 0, 1, 0, 0, 5, 'a save is five'),
    (0, 0, 0, 0, 1, 0, 3, 'a share is three'),
    (0, 0, 0, 0, 0, 1, -5, 'a dismissal takes five'),
    (10, 5, 2, 3, 1, 1, 53, 'points add up'),
    (0, 0, 0, 0, 0, 3, -15, 'the sum may be negative')
) as c (
    view_count,
    click_count,
    apply_count,
    save_count,
    share_count,
    dismiss_count,
    points,
    description
);

select
    is_near(
        feed.engagement_points(null::feed.engagement_metrics, w),
        0,
        'a listing without counters has no points'
    )
from feed.engagement_weights as w;

update feed.interaction_weights
set weight = 7
where type = 'share';

select
    is_near(
        feed.engagement_points(
            jsonb_populate_record(
                null::feed.engagement_metrics,
                '{"view_count": 0, "click_count": 0, "apply_count": 0, "save_count": 0,
              "share_count": 2, "dismiss_count": 0}'
            ),
            w
        ),
        14,
        'the weights are those of interaction_weights'
    )
from feed.engagement_weights as w;

select finish();
rollback;
