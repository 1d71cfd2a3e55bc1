-- feed.posters: poster_score from the counts
--
-- Whatever is written into poster_score is replaced, so that it never contradicts them.

create or replace function feed.tg_posters__score()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A negative count is for the table's constraints to name; here it must not divide by zero
    -- or have a logarithm.
    new.poster_score := feed.poster_score(
        new.average_rating,
        greatest(new.rating_count, 0),
        greatest(new.accepted_count, 0),
        greatest(new.completed_count, 0)
    );

    return new;
end;
$$;

comment on function feed.tg_posters__score is 'Keeps posters.poster_score at feed.poster_score.';

create or replace trigger t50_score
before insert or update on feed.posters
for each row
execute function feed.tg_posters__score();
