-- A count with its noun.
--
-- Called by   feed.component_facts

create or replace function feed.count_text(amount bigint, singular text, plural text)
returns text
language sql
immutable
parallel safe
return amount || ' ' || case when amount = 1 then singular else plural end;

comment on function feed.count_text is '"1 save", "3 saves".';
