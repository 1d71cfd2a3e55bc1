-- What the ranking knows about the user who asks.
--
-- Exactly one row for any uuid: somebody who has never called is a user without place,
-- preferences or history.
--
-- Called by   feed.candidate_listings, feed.rescored_listings, python/pgfeed/engine
-- Reads       feed.users, feed.user_feed_preferences, ml.user_vectors of the current model

create or replace function feed.user_context(user_uid uuid, inferred_tag_count integer)
returns table (
    user_uid uuid,
    user_no integer,
    location ext.geography,
    max_distance double precision,
    tags text[],
    has_inferred_tags boolean,
    blocked_tags text[],
    is_personalized boolean,
    feature_vector real[]
)
language sql
stable
parallel safe
begin atomic
    select
        a.user_uid,
        u.user_no,
        u.location,
        p.max_distance,
        case
            when cardinality(p.preferred_tags) > 0 then p.preferred_tags
            when coalesce(p.personalization_enabled, true) then coalesce(i.tags, '{}')
            else '{}'
        end,
        coalesce(cardinality(p.preferred_tags), 0) = 0
        and coalesce(p.personalization_enabled, true)
        and i.tags is not null,
        coalesce(p.blocked_tags, '{}'),
        coalesce(p.personalization_enabled, true),
        case when coalesce(p.personalization_enabled, true) then v.feature_vector end
    from (select user_context.user_uid) as a
    left join feed.users as u on a.user_uid = u.user_uid
    left join feed.user_feed_preferences as p on a.user_uid = p.user_uid
    left join ml.user_vectors as v
        on
            u.user_no = v.user_no
            and v.model_id = (select c.model_id from ml.current_model as c)
    left join lateral (
        select array_agg(s.tag) as tags
        from (
            select t.tag
            from jsonb_each_text(v.tag_preference) as t (tag, weight)
            where t.weight::double precision > 0
            order by t.weight::double precision desc, t.tag collate "C" asc
            limit user_context.inferred_tag_count
        ) as s
    ) as i on true;
end;

comment on function feed.user_context is
'The one row of facts about a user that ranking uses. tags are the preferred ones or, if
there are none and personalisation is on, the strongest of the learned tag_preference.';
