-- Why a rule removed a listing, in words.
--
-- Called by   api.explain_listing

create or replace function feed.rule_text(rule text)
returns text
language sql
immutable
parallel safe
return case rule
    when 'closed' then 'The listing is closed.'
    when 'expired' then 'The listing has expired.'
    when 'not_yet_created' then 'The listing did not exist yet.'
    when 'own_listing' then 'The user posted it.'
    when 'blocked_tag' then 'It has a tag that the user blocked.'
    when 'too_far' then 'It is farther away than the user''s max_distance.'
    when 'applied' then 'The user applied to it.'
    when 'dismissed' then 'The user dismissed it.'
    when 'seen_recently' then 'The user has seen it lately.'
end;

comment on function feed.rule_text is 'The sentence that goes with a rule of feed.removal_rules.';
