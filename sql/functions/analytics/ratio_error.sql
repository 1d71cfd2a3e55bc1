-- How far the ratio of two sums over users may be off, because other users might have come.
--
-- The delta method: users are what is drawn, not impressions, for what one user does goes together.
--
-- Called by   analytics.refresh_experiments

create or replace function analytics.ratio_error(
    user_count bigint,
    numerator double precision,
    denominator double precision,
    numerator_variance double precision,
    denominator_variance double precision,
    covariance double precision
)
returns double precision
language sql
immutable
parallel safe
return case
    when
        ratio_error.user_count > 1
        and ratio_error.numerator <> 0
        and ratio_error.denominator <> 0
        then sqrt(
                -- rounding must not make it negative
                greatest(
                    ratio_error.numerator_variance
                    - 2 * ratio_error.numerator / ratio_error.denominator * ratio_error.covariance
                    + (ratio_error.numerator / ratio_error.denominator) ^ 2
                    * ratio_error.denominator_variance,
                    0
                )
                * ratio_error.user_count
            ) / ratio_error.denominator
end;

comment on function analytics.ratio_error is
'The standard error of numerator / denominator, two sums over users, from the sample variances and
the sample covariance between users. Null with a single user or a sum of 0, which says nothing.';
