-- Why one listing stands where it does in a user's feed, or why it is not in it.
--
-- Called by   clients

create or replace function api.explain_listing(listing_id uuid, user_uid uuid default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    asker constant uuid := identity.acting_for(explain_listing.user_uid);
    feed_time constant timestamptz := clock_timestamp();
    profile feed.ranking_profiles;
    explanation jsonb;
begin
    select p.* into profile
    from feed.ranking_profiles as p
    where p.profile_name = 'default';

    select
        jsonb_build_object(
            'listing_id', l.listing_id,
            'title', l.title,
            'in_feed', s.removed_by = '{}',
            'removed_by', (
                select
                    coalesce(
                        jsonb_agg(
                            jsonb_build_object('rule', r.rule, 'because', feed.rule_text(r.rule))
                            order by r.n
                        ),
                        '[]'
                    )
                from unnest(s.removed_by) with ordinality as r (rule, n)
            ),
            'score', s.score,
            'distance_km', s.distance_km,
            'components', c.components,
            'facts', feed.component_facts(
                l,
                m,
                o,
                s.distance_km,
                s.matched_tag_count,
                s.has_inferred_tags,
                s.neighbor_count,
                s.content_score,
                s.poster_choice_count,
                s.similar_choice_count,
                feed_time
            ),
            'reason', feed.reason(
                d.component_names,
                l,
                m,
                o,
                s.distance_km,
                s.matched_tag_count,
                s.has_inferred_tags,
                s.neighbor_count,
                s.content_score,
                s.poster_choice_count,
                s.similar_choice_count,
                feed_time
            ),
            'profile', profile.profile_name,
            'as_of', feed_time
        )
    into explanation
    from feed.candidate_listings(asker, profile.profile_name, feed_time) as s
    inner join feed.listings as l using (listing_id)
    left join feed.engagement_metrics as m using (listing_id)
    left join feed.posters as o on l.poster_uid = o.poster_uid
    cross join lateral (
        select
            feed.weighted_components(
                profile,
                s.location_score,
                s.tag_score,
                s.engagement_score,
                s.recency_score,
                s.poster_score,
                s.collaborative_score,
                s.content_score,
                s.poster_affinity_score,
                s.item_similarity_score
            ) as components
        offset 0
    ) as c
    cross join lateral feed.leading_components(c.components) as d
    where s.listing_id = explain_listing.listing_id;

    if explanation is null then
        raise sqlstate 'PT404' using
            message = format('there is no listing %s', explain_listing.listing_id),
            hint = 'Send the listing_id that the feed gave.';
    end if;

    return explanation;
end;
$$;

comment on function api.explain_listing is
'Why a listing stands where it does in the feed, or why it is not in it

The same numbers as in the feed at this moment, also for a listing that the feed leaves out.

Arguments:
- listing_id: The listing; open or not.
- user_uid: For whom. The token''s own, and may be left out; service_role names any known user.

Answers an object:
- in_feed: Whether the listing can be in the feed at all.
- removed_by: [{"rule", "because"}, …], every rule that keeps it out: closed, expired,
  not_yet_created, own_listing, blocked_tag, too_far, applied, dismissed, seen_recently.
- score: The sum of the contributions, also where a rule keeps it out.
- components: Value, weight and contribution of each of the nine, also those of weight 0.
- facts: One sentence a component.
- reason: The facts of the two largest contributions.
- listing_id, title, distance_km, profile, as_of: What was explained, by which profile, when.

Errors:
- 400: What is no uuid, or, from service_role, no user_uid.
- 401: No token, or one that is not believed.
- 403: Somebody else''s feed.
- 404: No such listing or user.';
