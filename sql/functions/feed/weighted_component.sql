-- One component as clients see it.
--
-- One expression, so that the planner inlines it.
--
-- Called by   feed.weighted_components

create or replace function feed.weighted_component(value double precision, weight numeric)
returns jsonb
language sql
stable
parallel safe
return jsonb_build_object(
    'value', value,
    'weight', weight::double precision,
    'contribution', weight::double precision * value
);

comment on function feed.weighted_component is
'{"value", "weight", "contribution"}: the contribution is value · weight.';
