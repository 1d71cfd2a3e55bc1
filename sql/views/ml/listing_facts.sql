-- What the vector of a listing is made from.
--
-- Training and the triggers read it alike, so that both make the same vector. row_place
-- lets training read the table by ranges of pages.
--
-- Called by   python/pgfeed/reading.py

create or replace view ml.listing_facts as
select
    l.ctid as row_place,
    l.listing_no,
    l.tags,
    l.currency,
    coalesce(ext.st_y(l.location::ext.geometry), 'NaN') as latitude,
    coalesce(ext.st_x(l.location::ext.geometry), 'NaN') as longitude,
    coalesce(l.compensation::double precision, 'NaN') as compensation,
    coalesce(p.poster_score, 'NaN') as poster_score
from feed.listings as l
left join feed.posters as p using (poster_uid);

comment on view ml.listing_facts is
'What the vector of a listing is made from; unknown numbers are NaN.';
comment on column ml.listing_facts.row_place is 'Physical place of the listing''s row.';
comment on column ml.listing_facts.listing_no is 'The listing.';
comment on column ml.listing_facts.tags is 'Its tags.';
comment on column ml.listing_facts.currency is 'ISO 4217 or null.';
comment on column ml.listing_facts.latitude is 'Degrees.';
comment on column ml.listing_facts.longitude is 'Degrees.';
comment on column ml.listing_facts.compensation is 'In currency.';
comment on column ml.listing_facts.poster_score is 'In [0,1].';
