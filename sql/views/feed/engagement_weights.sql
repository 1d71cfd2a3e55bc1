-- feed.interaction_weights as one row, to weigh a row of counters at once.
--
-- Called by   feed.engagement_points

create or replace view feed.engagement_weights as
select
    max(w.weight) filter (where w.type = 'view') as view_weight,
    max(w.weight) filter (where w.type = 'click') as click_weight,
    max(w.weight) filter (where w.type = 'apply') as apply_weight,
    max(w.weight) filter (where w.type = 'save') as save_weight,
    max(w.weight) filter (where w.type = 'share') as share_weight,
    max(w.weight) filter (where w.type = 'dismiss') as dismiss_weight
from feed.interaction_weights as w;

comment on view feed.engagement_weights is 'feed.interaction_weights as one row.';
comment on column feed.engagement_weights.view_weight is 'Points of a view.';
comment on column feed.engagement_weights.click_weight is 'Points of a click.';
comment on column feed.engagement_weights.apply_weight is 'Points of an application.';
comment on column feed.engagement_weights.save_weight is 'Points of a save.';
comment on column feed.engagement_weights.share_weight is 'Points of a share.';
comment on column feed.engagement_weights.dismiss_weight is 'Points of a dismissal.';
