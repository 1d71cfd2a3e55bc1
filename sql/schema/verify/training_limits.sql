begin;

select 1 / count(*) from ml.training_parameters
where
    (listing_user_limit is null or listing_user_limit >= 2)
    and user_pair_minimum >= 1
    and update_user_limit >= 1
    and update_growth >= 1.5;

rollback;
