-- feed.tg_posters__score: poster_score from the counts

begin;
select plan(4);

select tests.poster('pat');

select is_near(
    (select p.poster_score from feed.posters as p),
    0.4625,
    'a new poster has the score of nothing known'
);

update feed.posters
set average_rating = 5, rating_count = 95, accepted_count = 9, completed_count = 9;

select is_near(
    (select p.poster_score from feed.posters as p), 0.8631366698883683, 'it follows the counts'
);

update feed.posters
set poster_score = 1;

select is_near(
    (select p.poster_score from feed.posters as p),
    0.8631366698883683,
    'what is written into it is replaced'
);

insert into feed.users (user_uid)
values (tests.user_uid('quin'));
insert into feed.posters (poster_uid, poster_score)
values (tests.user_uid('quin'), 1);

select is_near(
    (
        select p.poster_score from feed.posters as p
        where p.poster_uid = tests.user_uid('quin')
    ),
    0.4625,
    'from the beginning'
);

select finish();
rollback;
