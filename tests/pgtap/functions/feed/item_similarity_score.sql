-- feed.item_similarity_score: Σ weight · similarity / Σ weight

begin;
select plan(4);

select is_near(feed.item_similarity_score(0, 3), 0, 'what goes with nothing scores 0');
select is_near(feed.item_similarity_score(0.75, 1.5), 0.5, 'a mean');
select is_near(feed.item_similarity_score(0, 0), 0, 'choices that have faded away score 0');
select is(
    feed.item_similarity_score(0.30000000000000004, 0.3),
    1::double precision,
    'rounding does not pass 1'
);

select finish();
rollback;
