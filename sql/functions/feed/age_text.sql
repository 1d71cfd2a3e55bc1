-- An age as a person says it: one unit, rounded down.
--
-- Called by   feed.component_fact

create or replace function feed.age_text(age interval)
returns text
language sql
immutable
parallel safe
return (
    select
        case
            when a.minutes < 1 then 'just now'
            else a.amount || ' ' || a.unit || case when a.amount = 1 then '' else 's' end || ' ago'
        end
    from (
        select
            s.minutes,
            case
                when s.minutes < 60 then s.minutes
                when s.minutes < 1440 then s.minutes / 60
                when s.minutes < 86400 then s.minutes / 1440
                when s.minutes < 1051200 then s.minutes / 43800
                else s.minutes / 525600
            end as amount,
            case
                when s.minutes < 60 then 'minute'
                when s.minutes < 1440 then 'hour'
                when s.minutes < 86400 then 'day'
                when s.minutes < 1051200 then 'month'
                else 'year'
            end as unit
        from (select floor(extract(epoch from age_text.age) / 60)::bigint as minutes) as s
    ) as a
);

comment on function feed.age_text is '"just now", "5 minutes ago", "3 days ago", "14 months ago".';
