-- feed.location_score: exp(-d / decay)

begin;
select plan(8);

select is_near(feed.location_score(0, 25, 0.5), 1, 'a listing at my door scores 1');
select is_near(
    feed.location_score(25, 25, 0.5), 0.36787944117144233, 'at the decay length it scores 1/e'
);
select is_near(
    feed.location_score(50, 25, 0.5), 0.1353352832366127, 'at twice the decay length 1/e²'
);
select is_near(
    feed.location_score(1, 25, 0.5), 0.9607894391523232, 'a kilometre costs 4 hundredths'
);
select is_near(
    feed.location_score(10, 100, 0.5), 0.9048374180359595, 'the decay is the profile''s'
);
select is_near(feed.location_score(null, 25, 0.5), 0.5, 'an unknown place has the given score');
select is_near(feed.location_score(null, 25, 0), 0, 'which may be another than one half');
select is_near(
    feed.location_score(20015.115, 0.5, 0.5), 0, 'the antipodes score 0 and do not underflow'
);

select finish();
rollback;
