-- A poster's quality: rating, completion, experience.
--
-- The rating is shrunk towards 3.5 by five imagined ratings, the completion rate towards
-- one half by two imagined acceptances (Laplace), so that a newcomer is neither best nor
-- worst; experience grows with the logarithm and is full at 100 completions.
--
-- Called by   feed.tg_posters__score, feed.candidate_listings (a listing without a poster)

create or replace function feed.poster_score(
    average_rating double precision,
    rating_count integer,
    accepted_count integer,
    completed_count integer
)
returns double precision
language sql
immutable
parallel safe
return (
    0.5 * (
        (coalesce(average_rating, 3.5) * rating_count + 3.5 * 5)
        / (rating_count + 5)
        - 1
    ) / 4
    + 0.3 * (completed_count + 1) / (accepted_count + 2)
    + 0.2 * least(1, ln(1 + completed_count::double precision) / ln(101::double precision))
);

comment on function feed.poster_score is
'0.5·rating + 0.3·completion + 0.2·experience, each in [0,1]; 0.4625 if nothing is known.';
