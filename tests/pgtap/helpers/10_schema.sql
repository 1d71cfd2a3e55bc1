-- The schema tests: what pgTAP files share, beside the product and never deployed with it.
--
-- Everybody may use it, since a test looks around while it acts as somebody.

create schema if not exists tests;
grant usage on schema tests to public;
comment on schema tests is 'What pgTAP files share: makers that name the rows, and comparisons.';
