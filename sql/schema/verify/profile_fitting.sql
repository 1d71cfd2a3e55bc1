begin;

select is_enabled
from jobs.schedules
where false;

select 1 / count(*) from ml.fit_parameters
where
    fit_window > held_out_window
    and impression_limit > 0
    and least_user_count > 0
    and trial_count > 1
    and random_seed >= 0;

rollback;
