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
