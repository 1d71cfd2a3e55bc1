-- A count with its noun.
--
-- amount::text, since `bigint || text` is only stable and an immutable function with it in its
-- body is not inlined.
--
-- Called by   feed.component_fact

create or replace function feed.count_text(amount bigint, singular text, plural text)
returns text
language sql
immutable
parallel safe
return amount::text || ' ' || case when amount = 1 then singular else plural end;

comment on function feed.count_text is '"1 save", "3 saves".';
