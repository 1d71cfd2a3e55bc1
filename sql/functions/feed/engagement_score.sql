-- Raw engagement on a logarithmic scale: 0 for none, 1 at the ceiling.
--
-- Called by   jobs.refresh_engagement

create or replace function feed.engagement_score(
    points double precision,
    ceiling double precision
)
returns double precision
language sql
immutable
parallel safe
return least(1, ln(1 + greatest(points, 0)) / ln(1 + ceiling));

comment on function feed.engagement_score is
'least(1, ln(1 + points) / ln(1 + ceiling)), negative points as none; in [0,1].';
