-- Reads what a ticket says, without asking whether it is genuine.
--
-- The lengths keep every number within its type.
--
-- Called by   api.track_impressions

create or replace function feed.ticket_facts(ticket text)
returns table (
    body text,
    signature text,
    key_no integer,
    listing_id uuid,
    "position" integer,
    score double precision,
    issued_at timestamptz,
    profile_name text
)
language sql
stable
parallel safe
begin atomic
    select
        p.parts[1],
        p.parts[8],
        p.parts[2]::integer,
        p.parts[3]::uuid,
        p.parts[4]::integer,
        p.parts[5]::double precision / 1e9,
        timestamptz 'epoch' + p.parts[6]::bigint * interval '1 microsecond',
        p.parts[7]
    from
        regexp_match(
            ticket_facts.ticket,
            '^(([0-9]{1,9})\.([0-9a-f]{32})\.([0-9]{1,9})\.([0-9]{1,10})\.([0-9]{1,16})'
            '\.([a-z][a-z0-9_-]{0,62}))\.([A-Za-z0-9_-]{22})$'
        ) as p (parts)
    where p.parts is not null;
end;

comment on function feed.ticket_facts is
'The parts of a ticket as typed columns; no row if it does not have the form of one.';
