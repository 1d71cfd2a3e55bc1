-- Fits a ranking profile from impressions and writes it if it wins on later ones. Commits as it
-- goes: call it outside a transaction.
--
-- Called by   jobs.fit_profile

create or replace procedure ml.fit_profile(
    as_of timestamptz, inout rows bigint, inout details jsonb
)
language plpython3u
as $$
from pgfeed.server import fit_profile
return fit_profile(as_of)
$$;

comment on procedure ml.fit_profile is
'Fits on impressions up to as_of. Returns the rows written, 1 or 0, and what was found or why
nothing was. Safe to kill: the profile is one row.';

revoke execute on procedure ml.fit_profile from public;
grant execute on procedure ml.fit_profile to feed_owner;
