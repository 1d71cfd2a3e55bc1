-- What the tables themselves refuse, whoever writes.

begin;
select plan(105);

select tests.user('ann');
select tests.poster('pat');
select tests.listing('bicycle', poster => 'pat', external_id => 'b-1');

create function tests.refuses(query text, rule text, description text)
returns text
language plpgsql
as $$
declare
    broken text;
begin
    execute query;
    return ext.ok(false, description);
exception
    when integrity_constraint_violation or data_exception then
        get stacked diagnostics broken = constraint_name;
        if broken = '' then
            broken := sqlerrm;
        end if;
        return ext.ok(broken ~ rule, description)
            || case when broken ~ rule then '' else e'\n' || ext.diag(broken) end;
end;
$$;

select
    tests.refuses(
        format('update feed.users set %s where user_uid = tests.user_uid(''ann'')', c.change),
        c.rule,
        c.description
    )
from
    (
        values
        (
            'location = ext.st_geogfromtext(''point empty'')',
            'user_location_is_not_empty',
            'a user is not at an empty point'
        ),
        ('user_uid = null', 'null value', 'nor without an id'),
        (
            'location = ext.st_geogfromtext(''linestring(1 1, 2 2)'')',
            'Geometry type',
            'nor on a line'
        )
    ) as c (change, rule, description);
select
    tests.refuses(
        format(
            'insert into feed.user_feed_preferences (user_uid, %s)'
            ' values (tests.user_uid(''ann''), %s)',
            c.field,
            c.value
        ),
        c.rule,
        c.description
    )
from
    (
        values
        ('max_distance', '0', 'max_distance_is_positive', 'a max_distance of 0 is refused'),
        ('max_distance', '-1', 'max_distance_is_positive', 'and a negative one'),
        ('max_distance', '''infinity''', 'max_distance_is_positive', 'an infinite one'),
        ('max_distance', '''NaN''', 'max_distance_is_positive', 'and one that is no number'),
        (
            'preferred_tags, blocked_tags',
            '''{a}'', ''{A}''',
            'preferred_tags_are_not_blocked',
            'a tag is not both'
        ),
        (
            'preferred_tags',
            'array[repeat(''x'', 201)]',
            'preferred_tags_are_lines_of',
            'a tag is no paragraph'
        ),
        ('preferred_tags', 'array[e''x\ny'']', 'preferred_tags_are_lines_of', 'and on one line'),
        (
            'blocked_tags',
            'array[repeat(''x'', 201)]',
            'blocked_tags_are_lines_of',
            'nor is a blocked one'
        ),
        ('blocked_tags', 'array[e''x\ny'']', 'blocked_tags_are_lines_of', 'and on one line too'),
        ('personalization_enabled', 'null', 'null value', 'personalization is on or off')
    ) as c (field, value, rule, description);
select tests.refuses('update feed.posters set ' || c.change, c.rule, c.description)
from
    (
        values
        ('average_rating = 0.99', 'average_rating_is', 'a rating below 1 is refused'),
        ('average_rating = 5.01', 'average_rating_is', 'and above 5'),
        ('average_rating = ''NaN''', 'average_rating_is', 'or none'),
        ('rating_count = -1', 'rating_count_is_not_negative', 'less than no ratings'),
        ('rating_count = -5', 'rating_count_is_not_negative', 'whatever their number'),
        ('accepted_count = -1', 'accepted_count_is_not_negative', 'less than no acceptances'),
        ('accepted_count = -2', 'accepted_count_is_not_negative', 'by any number'),
        ('completed_count = -1', 'completed_count_is_not_negative', 'less than no completions'),
        (
            'completed_count = 1',
            'completed_is_at_most_accepted',
            'more completed than accepted'
        ),
        ('poster_uid = gen_random_uuid()', '_fkey', 'a poster who is no user')
    ) as c (change, rule, description);
select tests.refuses('update feed.listings set ' || c.change, c.rule, c.description)
from
    (
        values
        ('title = ''''', 'title_has_1_to_300', 'an empty title is refused'),
        ('title = e''\t ''', 'title_has_1_to_300', 'a blank one'),
        ('title = repeat(''x'', 301)', 'title_has_1_to_300', 'a long one'),
        ('title = null', 'null value', 'and none'),
        ('description = repeat(''x'', 20001)', 'description_is_not_too_long', 'a book'),
        ('external_id = repeat(''x'', 201)', 'external_id_is_not_too_long', 'a long key'),
        ('url = ''example.org''', 'url_is_http', 'a url without its scheme'),
        ('url = ''javascript:alert(1)''', 'url_is_http', 'a script'),
        ('url = ''https://a b''', 'url_is_http', 'a url with a space'),
        ('url = ''https://'' || repeat(''x'', 2000)', 'url_is_http', 'a long url'),
        ('image_url = ''data:x''', 'image_url_is_http', 'a picture in a url'),
        ('attributes = ''[]''', 'attributes_are_an_object', 'attributes in a list'),
        ('attributes = ''null''', 'attributes_are_an_object', 'null attributes'),
        (
            'attributes = jsonb_build_object(''a'', repeat(''x'', 16384))',
            'attributes_are_at_most_16_kilobytes',
            'attributes for a whole page'
        ),
        (
            'location = ext.st_geogfromtext(''point empty'')',
            'listing_location_is_not_empty',
            'an empty place'
        ),
        ('compensation = -0.01', 'listing_compensation_is_not_negative', 'negative pay'),
        ('compensation = 1e13', 'overflow', 'pay beyond all pay'),
        ('compensation = ''NaN''', 'listing_compensation_is_not', 'pay that is no number'),
        ('tags = array[repeat(''x'', 201)]', 'tags_are_lines_of', 'a tag that is a paragraph'),
        ('tags = array[e''x\ny'', ''x'']', 'tags_are_lines_of', 'a tag of two lines'),
        ('currency = ''chf''', 'currency_is_an_iso_4217_code', 'small francs'),
        ('currency = ''FRANCS''', 'currency_is_an_iso_4217_code', 'long francs'),
        ('status = ''sold''', 'invalid input value for enum', 'a third status'),
        ('status = null', 'null value', 'no status')
    ) as c (change, rule, description);
select tests.refuses(
    $$insert into feed.listings (title, created_at) values ('x', '-infinity')$$,
    'listing_created_at_is_finite',
    'a listing without a beginning is refused'
);
select tests.refuses(
    $$insert into feed.listings (title, poster_uid, external_id)
    values ('x', tests.user_uid('pat'), 'b-1')$$,
    'listings_external_id_key',
    'a poster''s key twice is refused'
);
select tests.refuses(
    $$insert into feed.listings (title, poster_uid) values ('x', tests.user_uid('ann'))$$,
    'listings_poster_uid_fkey',
    'and a poster who is none'
);
select
    tests.refuses(
        format(
            'insert into feed.user_interactions (user_uid, listing_id, type%s) values (%s)',
            c.fields,
            c.row
        ),
        c.rule,
        c.description
    )
from
    (
        values
        (
            '',
            'gen_random_uuid(), tests.listing_id(''bicycle''), ''view''',
            '_user_uid_fkey',
            'an interaction of nobody is refused'
        ),
        (
            '',
            'tests.user_uid(''ann''), gen_random_uuid(), ''view''',
            '_listing_id_fkey',
            'with nothing'
        ),
        (
            '',
            'tests.user_uid(''ann''), tests.listing_id(''bicycle''), ''like''',
            'invalid input value for enum',
            'of an unknown type'
        ),
        (
            ', metadata',
            'tests.user_uid(''ann''), tests.listing_id(''bicycle''), ''view'', ''[]''',
            'metadata_is_an_object',
            'with metadata in a list'
        ),
        (
            ', metadata',
            'tests.user_uid(''ann''), tests.listing_id(''bicycle''), ''view'', ''{"seconds": -1}''',
            'metadata_seconds_are_not_negative',
            'for less than no time'
        ),
        (
            ', metadata',
            'tests.user_uid(''ann''), tests.listing_id(''bicycle''), ''view'','
            ' ''{"seconds": "1"}''',
            'metadata_seconds_are_not_negative',
            'for a string of time'
        ),
        (
            ', metadata',
            'tests.user_uid(''ann''), tests.listing_id(''bicycle''), ''view'','
            ' jsonb_build_object(''x'', repeat(''x'', 4096))',
            'metadata_is_at_most_4_kilobytes',
            'with a book beside it'
        ),
        (
            ', created_at',
            'tests.user_uid(''ann''), tests.listing_id(''bicycle''), ''view'', ''1999-01-01''',
            'no partition',
            'in a month that there is not'
        )
    ) as c (fields, row, rule, description);

-- profiles
select
    tests.refuses(
        format('update feed.ranking_profiles set %s where profile_name = ''default''', c.change),
        c.rule,
        c.description
    )
from
    (
        values
        (
            'location_weight = 0.26',
            'ranking_weights_sum_to_1',
            'weights that sum to 1.01 are refused'
        ),
        ('tag_weight = 0.19999', 'ranking_weights_sum_to_1', 'and to 0.99999'),
        ('poster_affinity_weight = 0.01', 'ranking_weights_sum_to_1', 'poster affinity counts'),
        ('item_similarity_weight = 0.01', 'ranking_weights_sum_to_1', 'and item similarity'),
        (
            'tag_weight = -0.1, location_weight = 0.55',
            'tag_weight_is_not_negative',
            'a negative weight'
        ),
        ('location_decay_km = 0', 'location_decay_is_positive', 'a decay of nothing'),
        ('location_decay_km = ''NaN''', 'location_decay_is_positive', 'or of no number'),
        ('unknown_location_score = 1.1', 'unknown_location_score_is_a_fraction', 'a score above 1'),
        ('recency_half_life = ''0''', 'recency_half_life_is_positive', 'no half-life'),
        ('seen_window = ''-1 day''', 'seen_window_is_not_negative', 'a negative window'),
        ('collaborative_window = ''0''', 'collaborative_window_is_positive', 'no window'),
        (
            'poster_affinity_weight = -0.1, location_weight = 0.35',
            'poster_affinity_weight_is_not_negative',
            'a negative weight of poster affinity'
        ),
        (
            'item_similarity_weight = -0.1, location_weight = 0.35',
            'item_similarity_weight_is_not_negative',
            'a negative weight of item similarity'
        ),
        ('affinity_half_life = ''0''', 'affinity_half_life_is_positive', 'no time for affinity'),
        ('affinity_smoothing = 0', 'affinity_smoothing_is_positive', 'no smoothing'),
        (
            'affinity_smoothing = ''infinity''', 'affinity_smoothing_is_positive',
            'smoothing without end'
        ),
        ('history_half_life = ''0''', 'history_half_life_is_positive', 'no time for history'),
        ('history_limit = 0', 'history_limit_is_between_1_and_1000', 'no history'),
        ('history_limit = 1001', 'history_limit_is_between_1_and_1000', 'too long a history'),
        ('inferred_tag_count = -1', 'inferred_tag_count_is_not_negative', 'less than no tags'),
        ('profile_name = ''Best one''', 'profile_name_is_a_word', 'a name of two words'),
        (
            'evaluation = ''{}''',
            'default_is_made_by_hand',
            'and what was fitted does not become default'
        ),
        ('is_offered = false', 'default_is_offered', 'nor does default go out of use')
    ) as c (change, rule, description);
select lives_ok(
    $$insert into feed.ranking_profiles (profile_name) values ('other')$$,
    'the defaults are a profile: they sum to 1'
);
select tests.refuses(
    $$update feed.ranking_profiles set evaluation = '[]' where profile_name = 'other'$$,
    'evaluation_is_an_object',
    'an evaluation is an object'
);

-- one row each
select tests.refuses(
    'insert into feed.engagement_scale default values',
    'engagement_scale_pkey',
    'a second scale is refused'
);
select tests.refuses(
    'insert into feed.engagement_scale (is_only_row) values (false)',
    'engagement_scale_has_one_row',
    'in any way'
);
select tests.refuses('update feed.engagement_scale set ' || c.change, c.rule, c.description)
from
    (
        values
        ('ceiling = 0', 'ceiling_is_positive', 'a ceiling of 0 is refused'),
        ('ceiling_quantile = 1.1', 'ceiling_quantile_is_a_fraction', 'a quantile above 1'),
        ('trending_half_life = ''0''', 'trending_half_life_is_positive', 'no half-life of trends')
    ) as c (change, rule, description);
select tests.refuses(
    $$update feed.interaction_weights set weight = 11$$,
    'interaction_weight_is_between',
    'a weight above 10'
);

-- counters, and what hangs together
select tests.interaction('ann', 'bicycle', 'save');
select tests.refuses(c.query, c.rule, c.description)
from
    (
        values
        (
            'update feed.engagement_metrics set save_count = -1',
            'engagement_counts_are_not_negative',
            'a counter below 0 is refused'
        ),
        (
            'update feed.engagement_metrics set engagement_score = 1.1',
            'engagement_score_is_a_fraction',
            'a score above 1'
        ),
        (
            'update feed.user_listing_states set save_count = 0, saved_at = null',
            'state_has_an_interaction',
            'a state without an interaction'
        ),
        (
            'update feed.user_listing_states set saved_at = null',
            'saved_at_goes_with_its_count',
            'a save without its time'
        ),
        (
            'delete from feed.listings', '_fkey', 'a listing that somebody saved does not vanish'
        ),
        (
            'delete from feed.users where user_uid = tests.user_uid(''ann'')',
            'user_interactions_.*_fkey',
            'nor does who saved it'
        )
    ) as c (query, rule, description);

-- experiments
insert into feed.ranking_profiles (profile_name)
values ('calm'), ('bold');
insert into feed.experiments (profile_name, buckets)
values ('calm', '[0,50)');
select
    tests.refuses(
        format('insert into feed.experiments (profile_name, buckets) values (%s)', c.experiment),
        c.rule,
        c.description
    )
from
    (
        values
        (
            '''bold'', ''[49,60)''',
            'experiments_have_no_bucket_in_common',
            'a bucket is in one experiment'
        ),
        ('''calm'', ''[60,70)''', 'experiments_pkey', 'a profile in one, too'),
        ('''default'', ''[60,70)''', 'experiment_is_not_of_default', 'default is in none'),
        ('''no such'', ''[60,70)''', '_fkey', 'nor is what is no profile'),
        (
            '''bold'', ''empty''',
            'experiment_buckets_are_between_0_and_999',
            'an experiment has buckets'
        ),
        (
            '''bold'', ''[999,1001)''',
            'experiment_buckets_are_between_0_and_999',
            'from the thousand'
        ),
        ('''bold'', ''[60,)''', 'experiment_buckets_are_between_0_and_999', 'and an end'),
        ('''bold'', null', 'null value', 'null are no buckets')
    ) as c (experiment, rule, description);
select tests.refuses(
    'delete from feed.ranking_profiles where profile_name = ''calm''',
    'experiments_.*_fkey',
    'a profile in an experiment stays'
);
select tests.refuses(
    'update analytics.refresh_parameters set comparison_window = ''91 days''',
    'comparison_window_is_between',
    'profiles are compared over 90 days at most'
);

select finish();
rollback;
