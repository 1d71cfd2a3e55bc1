-- Reads what a ticket says, without asking whether it is genuine.
--
-- Tickets of before the components were in them have seven parts, the others eight. The lengths
-- keep every number within its type. They are not in the pattern: counted repetitions make it
-- a hundred times as slow.
--
-- Called by   api.track_impressions

create or replace function feed.ticket_facts(ticket text)
returns table (
    body text,
    signature text,
    key_no integer,
    listing_id uuid,
    rank integer,
    score double precision,
    issued_at timestamptz,
    profile_name text,
    components real[]
)
language sql
stable
parallel safe
begin atomic
    select
        array_to_string(trim_array(p.parts, 1), '.'),
        p.parts[cardinality(p.parts)],
        p.parts[1]::integer,
        p.parts[2]::uuid,
        p.parts[3]::integer,
        p.parts[4]::double precision / 1e9,
        timestamptz 'epoch' + p.parts[5]::bigint * interval '1 microsecond',
        p.parts[6],
        c.components
    from (
        -- null unless all is well, so that nothing else is ever cast
        select
            case
                when
                    ticket_facts.ticket
                    ~ '^[0-9]+\.[0-9a-f]+\.[0-9]+\.[0-9]+\.[0-9]+'
                    '\.[a-z][a-z0-9_-]*(\.[0-9a-f]+)?\.[A-Za-z0-9_-]+$'
                    and length(a.parts[1]) <= 9
                    and length(a.parts[2]) = 32
                    and length(a.parts[3]) <= 9
                    and length(a.parts[4]) <= 10
                    and length(a.parts[5]) <= 16
                    and length(a.parts[6]) <= 63
                    and length(a.parts[cardinality(a.parts)]) = 22
                    and (
                        cardinality(a.parts) = 7
                        or length(a.parts[7]) <= 128 and length(a.parts[7]) % 4 = 0
                    )
                    then a.parts
            end as parts
        from string_to_array(ticket_facts.ticket, '.') as a (parts)
        offset 0
    ) as p
    cross join
        lateral (
            select
                array_agg(
                    nullif(v.units, 65535)::real / 65534 order by v.n
                ) as components
            from (
                select
                    s.n,
                    ('x' || substr(p.parts[7], s.n, 4))::bit(16)::integer as units
                from generate_series(1, length(p.parts[7]), 4) as s (n)
                where cardinality(p.parts) = 8
            ) as v
        ) as c
    where p.parts is not null;
end;

comment on function feed.ticket_facts is
'The parts of a ticket as typed columns; no row if it does not have the form of one. components
is null where the ticket has none, and an element where it was not computed.';
