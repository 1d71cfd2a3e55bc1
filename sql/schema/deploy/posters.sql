-- Posters and what their quality is made of.

begin;
set local role feed_owner;

create table feed.posters (
    poster_uid uuid primary key references feed.users (user_uid),
    average_rating double precision
    constraint average_rating_is_between_1_and_5 check (average_rating between 1 and 5),
    rating_count integer not null default 0
    constraint rating_count_is_not_negative check (rating_count >= 0),
    accepted_count integer not null default 0
    constraint accepted_count_is_not_negative check (accepted_count >= 0),
    completed_count integer not null default 0
    constraint completed_count_is_not_negative check (completed_count >= 0),
    poster_score double precision not null
    constraint poster_score_is_a_fraction check (poster_score between 0 and 1),
    created_at timestamptz not null default now(),
    constraint completed_is_at_most_accepted check (completed_count <= accepted_count)
);

comment on table feed.posters is 'Users who post listings, and how well they did.';
comment on column feed.posters.poster_uid is 'The user who posts.';
comment on column feed.posters.average_rating is 'Mean rating, 1 to 5; null if nobody rated.';
comment on column feed.posters.rating_count is 'Number of ratings behind average_rating.';
comment on column feed.posters.accepted_count is 'Applications the poster accepted.';
comment on column feed.posters.completed_count is 'Accepted ones that were completed.';
comment on column feed.posters.poster_score is
'Quality in [0,1], by trigger from the counts: feed.poster_score.';
comment on column feed.posters.created_at is 'When the user first posted.';
comment on index feed.posters_pkey is 'Serves scoring: a listing''s poster.';

commit;
