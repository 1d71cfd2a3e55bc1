-- feed.distance_text

begin;
select plan(9);

select is(feed.distance_text(c.km), c.words, c.km || ' km is "' || c.words || '"')
from (
    values
    (0, 'at your place'),
    (0.049, 'at your place'),
    (0.05, '50 m away'),
    (0.34, '350 m away'),
    (0.94, '950 m away'),
    (0.96, '1.0 km away'),
    (1.94, '1.9 km away'),
    (9.96, '10 km away'),
    (20015.1, '20015 km away')
) as c (km, words);

select finish();
rollback;
