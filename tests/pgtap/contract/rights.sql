-- Who may do what: every right of every role on everything, written by hand.
--
-- One line an object. An object without a line, a line without an object, and a right more or
-- less than the line says are each reported with what to do about it; the end of this file
-- proves that they are. Rights are what PostgreSQL grants in the end: those of PUBLIC and of
-- roles that a role inherits are in them.
--
-- The letters are psql's: r select, a insert, w update, d delete, D truncate, x references,
-- t trigger, X execute, U usage, C create, c connect, T temporary; - is none.
--
-- Not in the columns, because the same holds for every line: PUBLIC and authenticator have no
-- right on anything of ours, and feed_worker, a member of the owner, has all of them.

begin;
select plan(10);

create temporary table written (kind text, object text, role text, rights text);

-- The first line of a table names its roles, each other line begins with its object.
create function pg_temp.write(kind text, lines text)
returns void
language sql
begin atomic
    with split as (
        select
            l.n,
            regexp_split_to_array(trim(l.line), '\s+') as words
        from regexp_split_to_table(write.lines, e'\n') with ordinality as l (line, n)
        where trim(l.line) <> ''
    ),

    head as (
        select s.n, s.words from split as s
        order by s.n
        limit 1
    )

    insert into pg_temp.written (kind, object, role, rights)
    select
        write.kind,
        s.words[1],
        h.words[c.i],
        case when cardinality(s.words) = cardinality(h.words) + 1 then s.words[c.i + 1] end
    from head as h
    inner join split as s on h.n < s.n
    cross join generate_subscripts(h.words, 1) as c (i);
end;

select pg_temp.write('schema', $$
           anon  authenticated  service_role  feed_analyst  authenticator  feed_worker  public
analytics  -     -              -             U             -              UC           -
api        U     U              U             -             -              UC           -
ext        U     U              U             U             U              U            U
feed       U     U              U             -             -              UC           -
identity   U     U              U             U             -              UC           -
jobs       -     -              -             -             -              UC           -
ml         -     -              -             -             -              UC           -
ops        -     -              -             -             -              UC           -
public     U     U              U             U             U              U            U
sqitch     -     -              -             -             -              -            -
$$);

select pg_temp.write('database', $$
           anon  authenticated  service_role  feed_analyst  authenticator  feed_worker  public
database   -     -              -             c             c              cT           -
$$);

-- The tables that have rights by column are below; theirs here are those on the whole table.
select pg_temp.write('relation', $$
                               anon  authenticated  service_role  feed_analyst
analytics.application_curves   -     -              -             -
analytics.cities               -     -              -             -
analytics.component_counts     -     -              -             -
analytics.component_distribution  -   -              -             r
analytics.coverage             -     -              -             r
analytics.coverage_counts      -     -              -             -
analytics.coverage_course      -     -              -             r
analytics.daily_counts         -     -              -             -
analytics.daily_metrics        -     -              -             r
analytics.engagement_inequality  -   -              -             r
analytics.experiment_counts    -     -              -             -
analytics.experiment_results   -     -              -             r
analytics.feed_counts          -     -              -             -
analytics.feed_latency         -     -              -             r
analytics.feed_quality         -     -              -             r
analytics.funnel               -     -              -             r
analytics.job_health           -     -              -             r
analytics.job_runs             -     -              -             r
analytics.listing_engagement   -     -              -             r
analytics.quality_by_city      -     -              -             r
analytics.quality_by_day       -     -              -             r
analytics.quality_by_position  -     -              -             r
analytics.quality_by_profile   -     -              -             r
analytics.refresh_parameters   -     -              -             -
analytics.stale_days           -     -              -             -
analytics.targets              -     -              -             -
analytics.trending_course      -     -              -             r
analytics.trending_listings    -     -              -             r
analytics.view_definitions     -     -              -             r
api.listings                   r     raw            raw           -
api.my_interactions            -     r              r             -
api.my_listings                -     r              r             -
api.preferences                -     rw             rw            -
api.trending                   r     r              r             -
ext.geography_columns          r     r              r             r
ext.geometry_columns           r     r              r             r
ext.pg_stat_statements         -     -              -             -
ext.pg_stat_statements_info    -     -              -             -
ext.spatial_ref_sys            r     r              r             r
feed.block_parameters          -     -              -             -
feed.data_lifetimes            -     -              -             -
feed.engagement_base           -     -              -             -
feed.engagement_metrics        -     -              -             -
feed.engagement_scale          -     -              -             -
feed.engagement_weights        -     -              -             -
feed.expected_engagement       -     -              -             -
feed.experiments               -     -              -             -
feed.feed_impressions          -     -              -             -
feed.interaction_keys          -     -              -             -
feed.interaction_weights       -     -              -             -
feed.item_similarity_matrix    -     -              -             -
feed.listing_blocks            -     -              -             -
feed.listing_changes           -     -              -             -
feed.listing_digests           -     -              -             -
feed.listing_feature_vectors   -     -              -             -
feed.listings                  -     -              -             -
feed.outlived_partitions       -     -              -             -
feed.posters                   -     -              -             -
feed.ranking_profiles          -     -              -             -
feed.tag_numbers               -     -              -             -
feed.ticket_keys               -     -              -             -
feed.trending_listings         r     r              r             -
feed.user_feature_vectors      -     -              -             -
feed.user_feed_preferences     -     raw            raw           -
feed.user_interactions         -     r              r             -
feed.user_listing_states       -     r              r             -
feed.user_similarity_matrix    -     -              -             -
feed.users                     -     r              r             -
jobs.run_states                -     -              -             -
jobs.runs                      -     -              -             -
jobs.schedules                 -     -              -             -
ml.current_model               -     -              -             -
ml.fit_parameters              -     -              -             -
ml.listing_facts               -     -              -             -
ml.listing_neighbors           -     -              -             -
ml.listing_vectors             -     -              -             -
ml.location_clusters           -     -              -             -
ml.models                      -     -              -             -
ml.tag_projections             -     -              -             -
ml.training_parameters         -     -              -             -
ml.user_neighbors              -     -              -             -
ml.user_vectors                -     -              -             -
ops.access_logs                -     -              -             -
ops.engine_in_force            -     -              -             -
ops.request_counts             -     -              -             -
ops.source_files               -     -              -             -
ops.wrong_counters             -     -              -             -
ops.wrong_keys                 -     -              -             -
ops.wrong_states               -     -              -             -
$$);

select pg_temp.write('column', $$
                            anon  authenticated  service_role  feed_analyst
feed.listings.attributes    r     raw            raw           -
feed.listings.changed_xid   -     -              -             -
feed.listings.compensation  r     raw            raw           -
feed.listings.created_at    r     r              r             -
feed.listings.currency      r     raw            raw           -
feed.listings.description   r     raw            raw           -
feed.listings.expires_at    r     raw            raw           -
feed.listings.external_id   r     raw            raw           -
feed.listings.image_url     r     raw            raw           -
feed.listings.listing_id    r     ra             ra            -
feed.listings.listing_no    r     r              r             -
feed.listings.location      r     raw            raw           -
feed.listings.poster_uid    r     ra             ra            -
feed.listings.status        r     raw            raw           -
feed.listings.tags          r     raw            raw           -
feed.listings.title         r     raw            raw           -
feed.listings.url           r     raw            raw           -
feed.users.created_at       -     r              r             -
feed.users.location         -     rw             rw            -
feed.users.user_no          -     r              r             -
feed.users.user_uid         -     ra             ra            -
$$);

select pg_temp.write('sequence', $$
                                    anon  authenticated  service_role  feed_analyst
analytics.stale_days_mark_no_seq    -     -              -             -
feed.block_versions                 -     -              -             -
feed.listing_changes_change_no_seq  -     -              -             -
feed.listings_listing_no_seq        -     -              -             -
feed.tag_numbers_tag_no_seq         -     -              -             -
feed.ticket_keys_key_no_seq         -     -              -             -
feed.users_user_no_seq              -     -              -             -
jobs.runs_run_id_seq                -     -              -             -
ml.models_model_id_seq              -     -              -             -
ops.access_logs_log_no_seq          -     -              -             -
$$);

select pg_temp.write('type', $$
                       anon  authenticated  service_role  feed_analyst
feed.interaction_type  -     U              U             -
feed.listing_status    U     U              U             -
ops.feed_engine        -     -              -             -
$$);

-- runs_as: with whose rights a function works: the caller's, or in a definer function those of
-- the owner (feed_owner) or of a superuser. Each definer function checks its caller itself.
select pg_temp.write('function', $$
                                          runs_as    anon  authenticated  service_role  feed_analyst
analytics.application_curve               caller     -     -              -             -
analytics.attributed_events               caller     -     -              -             -
analytics.city_of                         caller     -     -              -             -
analytics.counted_events                  caller     -     -              -             -
analytics.day_of                          caller     -     -              -             -
analytics.day_start                       caller     -     -              -             -
analytics.first_kept_day                  caller     -     -              -             -
analytics.ratio_error                     caller     -     -              -             -
analytics.reach                           caller     -     -              -             -
analytics.refresh_cities                  caller     -     -              -             -
analytics.refresh_days                    caller     -     -              -             -
analytics.refresh_experiments             caller     -     -              -             -
analytics.sampled_components              caller     -     -              -             -
api.delete_my_data                        owner      -     X              X             -
api.explain_listing                       owner      -     X              X             -
api.export_my_data                        owner      -     X              X             -
api.get_feed                              owner      -     X              X             -
api.replication_state                     owner      -     -              X             -
api.retract_interaction                   owner      -     X              X             -
api.tg_listings__write                    caller     -     -              -             -
api.tg_preferences__write                 caller     -     -              -             -
api.track_impressions                     owner      -     X              X             -
api.track_interaction                     owner      -     X              X             -
api.track_interactions                    owner      -     X              X             -
api.upsert_listings                       owner      -     -              X             -
api.upsert_posters                        owner      -     -              X             -
api.upsert_users                          owner      -     -              X             -
feed.age_text                             caller     -     -              -             -
feed.begin_engine                         caller     -     -              -             -
feed.best_listings                        caller     -     -              -             -
feed.bucket_of                            caller     -     -              -             -
feed.candidate_listings                   caller     -     -              -             -
feed.check_interaction                    caller     -     -              -             -
feed.collaborative_scores                 caller     -     -              -             -
feed.component_code                       caller     -     -              -             -
feed.component_fact                       caller     -     -              -             -
feed.component_facts                      caller     -     -              -             -
feed.component_names                      caller     -     -              -             -
feed.content_score                        caller     -     -              -             -
feed.cosine_similarity                    caller     -     -              -             -
feed.count_text                           caller     -     -              -             -
feed.counted_interactions                 caller     -     -              -             -
feed.dedup_hour                           caller     -     -              -             -
feed.distance_text                        caller     -     -              -             -
feed.drop_outlived_partition              caller     -     -              -             -
feed.engagement_ceiling                   caller     -     -              -             -
feed.engagement_points                    caller     -     -              -             -
feed.engagement_score                     caller     -     -              -             -
feed.ensure_partitions                    owner      -     -              -             -
feed.ensure_poster                        owner      -     X              X             -
feed.ensure_user                          caller     -     X              X             -
feed.fold_changes                         caller     -     -              -             -
feed.group_by_block                       caller     -     -              -             -
feed.hour_row_count                       caller     -     -              -             -
feed.impression_choices                   caller     -     -              -             -
feed.item_similarities                    caller     -     -              -             -
feed.item_similarity_score                caller     -     -              -             -
feed.leading_components                   caller     -     -              -             -
feed.location_score                       caller     -     -              -             -
feed.log_start                            caller     -     -              -             -
feed.make_point                           caller     -     X              X             -
feed.matched_tag_count                    caller     -     -              -             -
feed.move_to_base                         caller     -     -              -             -
feed.neighbor_choices                     caller     -     -              -             -
feed.normalized_tags                      caller     -     X              X             -
feed.one_line                             caller     -     X              X             -
feed.payload_hash                         caller     -     -              -             -
feed.poster_affinities                    caller     -     -              -             -
feed.poster_affinity_score                caller     -     -              -             -
feed.poster_score                         caller     -     -              -             -
feed.profile_of                           caller     -     -              -             -
feed.reason                               caller     -     -              -             -
feed.recency_score                        caller     -     -              -             -
feed.record_interactions                  caller     -     -              -             -
feed.refuse_batch                         caller     -     -              -             -
feed.removal_rules                        caller     -     -              -             -
feed.require_batch                        caller     -     -              -             -
feed.rescored_listings                    caller     -     -              -             -
feed.retention_lock_key                   caller     -     -              -             -
feed.rule_text                            caller     -     -              -             -
feed.score_listings                       caller     -     -              -             -
feed.state_count                          caller     -     -              -             -
feed.tag_score                            caller     -     -              -             -
feed.tg_engagement_metrics__note_change   owner      -     -              -             -
feed.tg_interaction_weights__restate      caller     -     -              -             -
feed.tg_listings__guard                   caller     -     -              -             -
feed.tg_listings__note_change             owner      -     -              -             -
feed.tg_listings__number_tags             owner      -     -              -             -
feed.tg_listings__write_vectors           owner      -     -              -             -
feed.tg_posters__note_change              owner      -     -              -             -
feed.tg_posters__score                    caller     -     -              -             -
feed.tg_posters__write_vectors            owner      -     -              -             -
feed.tg_user_feed_preferences__normalize  caller     -     -              -             -
feed.tg_user_interactions__count          caller     -     -              -             -
feed.tg_user_interactions__refuse         caller     -     -              -             -
feed.tg_user_interactions__uncount        caller     -     -              -             -
feed.tg_users__forget                     owner      -     -              -             -
feed.ticket_body                          caller     -     -              -             -
feed.ticket_components                    caller     -     -              -             -
feed.ticket_facts                         caller     -     -              -             -
feed.ticket_signature                     caller     -     -              -             -
feed.try_timestamptz                      caller     -     -              -             -
feed.user_choices                         caller     -     -              -             -
feed.user_context                         caller     -     -              -             -
feed.weighted_component                   caller     -     -              -             -
feed.weighted_components                  caller     -     -              -             -
feed.write_preferences                    caller     -     X              X             -
identity.acting_for                       caller     -     -              -             -
identity.caller_role                      caller     X     X              X             X
identity.check_request                    caller     X     X              X             X
identity.claims                           caller     X     X              X             X
identity.is_service                       caller     -     -              -             -
identity.user_uid                         caller     X     X              X             X
jobs.begin_run                            caller     -     -              -             -
jobs.end_run                              caller     -     -              -             -
jobs.fit_profile                          caller     -     -              -             -
jobs.keep_house                           caller     -     -              -             -
jobs.lock_key                             caller     -     -              -             X
jobs.refresh_analytics                    caller     -     -              -             -
jobs.refresh_engagement                   caller     -     -              -             -
jobs.refresh_trending                     caller     -     -              -             -
jobs.schedule_all                         caller     -     -              -             -
jobs.train_models                         caller     -     -              -             -
jobs.update_models                        caller     -     -              -             -
ml.copy_rows                              superuser  -     -              -             -
ml.fit_profile                            caller     -     -              -             -
ml.forget_user                            owner      -     -              -             -
ml.model_for_writing                      caller     -     -              -             -
ml.project_listings                       caller     -     -              -             -
ml.publish_lock_key                       caller     -     -              -             -
ml.train                                  caller     -     -              -             -
ml.update                                 caller     -     -              -             -
ml.write_listing_vectors                  owner      -     -              -             -
ops.bucket_latency                        caller     -     -              -             X
ops.count_requests                        caller     -     -              -             -
ops.latency_bucket                        caller     -     -              -             -
ops.received_timeline                     superuser  -     -              -             -
ops.recount                               caller     -     -              -             -
ops.view_sql                              caller     -     -              -             X
$$);

-- Every role of the cluster that is neither PostgreSQL's own nor a superuser.
select pg_temp.write('role', $$
               login  inherit  bypassrls  createrole  createdb  replication
anon           -      yes      -          -           -         -
authenticated  -      yes      -          -           -         -
authenticator  yes    -        -          -           -         -
feed_analyst   yes    yes      -          -           -         -
feed_owner     -      yes      -          -           -         -
feed_worker    yes    yes      -          -           -         -
service_role   -      yes      yes        -           -         -
$$);

-- How long a statement may take, and how long a transaction may do nothing, over HTTP. (An
-- analyst who logs in has 5 minutes, by a setting of the database: tests/py/test_limits.py.)
select pg_temp.write('setting', $$
               statement_timeout  idle_in_transaction_session_timeout
anon           5s                 -
authenticated  10s                -
authenticator  -                  30s
feed_analyst   15s                1min
feed_owner     -                  -
feed_worker    -                  -
service_role   25s                -
$$);

-- Who is a member of what, has its rights (but for authenticator, which does not inherit) and
-- may become it.
select pg_temp.write('membership', $$
               members
anon           authenticated,authenticator
authenticated  authenticator,service_role
authenticator  -
feed_analyst   authenticator
feed_owner     feed_worker
feed_worker    -
service_role   authenticator
$$);

-- What the catalogue says.

create temporary view our_schemas as
select
    n.oid,
    n.nspname::text as name
from pg_namespace as n
where n.nspname in ('api', 'identity', 'feed', 'ml', 'jobs', 'analytics', 'ops');

create temporary view roles as
select
    r.oid,
    r.rolname::text as name
from pg_roles as r
where r.rolname !~ '^pg_' and not r.rolsuper;

-- With the pseudo-role public, as has_…_privilege takes it.
create temporary view askers as
select r.name as role from roles as r
union all
select 'public';

create temporary view letters as
select
    l.kind,
    l.letter,
    l.privilege,
    row_number() over () as place
from (
    values
    ('schema', 'U', 'usage'),
    ('schema', 'C', 'create'),
    ('database', 'c', 'connect'),
    ('database', 'T', 'temporary'),
    ('database', 'C', 'create'),
    ('relation', 'r', 'select'),
    ('relation', 'a', 'insert'),
    ('relation', 'w', 'update'),
    ('relation', 'd', 'delete'),
    ('relation', 'D', 'truncate'),
    ('relation', 'x', 'references'),
    ('relation', 't', 'trigger'),
    ('column', 'r', 'select'),
    ('column', 'a', 'insert'),
    ('column', 'w', 'update'),
    ('column', 'x', 'references'),
    ('sequence', 'r', 'select'),
    ('sequence', 'w', 'update'),
    ('sequence', 'U', 'usage')
) as l (kind, letter, privilege);

-- Partitions are in no line, since months go by: nobody but the owner has a right on one,
-- which relations.sql sees to.
create temporary view relations as
select
    c.oid,
    n.nspname || '.' || c.relname as object,
    c.relkind,
    n.nspname <> 'ext' as is_ours
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
left join pg_depend as d
    on
        c.oid = d.objid
        and d.classid = 'pg_class'::regclass
        and d.deptype = 'e'
left join pg_extension as e on d.refobjid = e.oid
where
    c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and not c.relispartition
    and (n.oid in (select o.oid from our_schemas as o) or n.nspname in ('ext', 'public'))
    -- the tests' own
    and coalesce(e.extname, '') not in ('pgtap', 'plpgsql_check');

create temporary view held as
select
    'schema' as kind,
    n.nspname::text as object,
    a.role,
    (
        select string_agg(l.letter, '' order by l.place)
        from letters as l
        where l.kind = 'schema' and has_schema_privilege(a.role, n.oid, l.privilege)
    ) as rights
from pg_namespace as n
cross join askers as a
where
    n.nspname !~ '^pg_(toast|temp|catalog)'
    and n.nspname not in ('information_schema', 'tests')
    and a.role <> 'feed_owner'
union all
select
    'database',
    'database',
    a.role,
    (
        select string_agg(l.letter, '' order by l.place)
        from letters as l
        where
            l.kind = 'database'
            and has_database_privilege(a.role, current_database(), l.privilege)
    )
from askers as a
where a.role <> 'feed_owner'
union all
select
    'relation',
    c.object,
    a.role,
    (
        select string_agg(l.letter, '' order by l.place)
        from letters as l
        where l.kind = 'relation' and has_table_privilege(a.role, c.oid, l.privilege)
    )
from relations as c
cross join askers as a
where c.relkind <> 'S'
union all
select
    'column',
    c.object || '.' || t.attname,
    a.role,
    (
        select string_agg(l.letter, '' order by l.place)
        from letters as l
        where
            l.kind = 'column'
            and has_column_privilege(a.role, c.oid, t.attnum, l.privilege)
    )
from relations as c
inner join pg_attribute as t on c.oid = t.attrelid
cross join askers as a
where
    t.attnum > 0
    and not t.attisdropped
    and exists (
        select from pg_attribute as g
        where g.attrelid = c.oid and g.attacl is not null
    )
union all
select
    'sequence',
    c.object,
    a.role,
    (
        select string_agg(l.letter, '' order by l.place)
        from letters as l
        where l.kind = 'sequence' and has_sequence_privilege(a.role, c.oid, l.privilege)
    )
from relations as c
cross join askers as a
where c.relkind = 'S'
union all
select
    'type',
    o.name || '.' || t.typname,
    a.role,
    case when has_type_privilege(a.role, t.oid, 'usage') then 'U' end
from pg_type as t
inner join our_schemas as o on t.typnamespace = o.oid
left join pg_class as c on t.typrelid = c.oid
cross join askers as a
where t.typtype in ('e', 'd', 'r') or c.relkind = 'c'
union all
select
    'function',
    o.name || '.' || p.proname,
    a.role,
    case when has_function_privilege(a.role, p.oid, 'execute') then 'X' end
from pg_proc as p
inner join our_schemas as o on p.pronamespace = o.oid
cross join askers as a
union all
select
    'function',
    o.name || '.' || p.proname,
    'runs_as',
    case
        when not p.prosecdef then 'caller'
        when r.rolsuper then 'superuser'
        when r.rolname = 'feed_owner' then 'owner'
        else r.rolname::text
    end
from pg_proc as p
inner join our_schemas as o on p.pronamespace = o.oid
inner join pg_roles as r on p.proowner = r.oid
union all
select
    'role',
    r.rolname::text,
    a.attribute,
    case when a.has then 'yes' end
from pg_roles as r
inner join roles as o on r.oid = o.oid
cross join
    lateral (
        values
        ('login', r.rolcanlogin),
        ('inherit', r.rolinherit),
        ('bypassrls', r.rolbypassrls),
        ('createrole', r.rolcreaterole),
        ('createdb', r.rolcreatedb),
        ('replication', r.rolreplication)
    ) as a (attribute, has)
union all
select
    'setting',
    r.name,
    s.setting,
    (
        select string_agg(split_part(c.line, '=', 2), ',')
        from pg_db_role_setting as d
        cross join unnest(d.setconfig) as c (line)
        where
            d.setrole = r.oid
            and d.setdatabase = 0
            and split_part(c.line, '=', 1) = s.setting
    )
from roles as r
cross join (
    select 'statement_timeout' as setting
    union
    select 'idle_in_transaction_session_timeout'
    union
    select split_part(c.line, '=', 1)
    from pg_db_role_setting as d
    inner join roles as o on d.setrole = o.oid
    cross join unnest(d.setconfig) as c (line)
) as s
union all
select
    'membership',
    r.name,
    'members',
    (
        select string_agg(g.member::regrole::text, ',' order by g.member::regrole::text)
        from pg_auth_members as g
        where g.roleid = r.oid
    )
from roles as r;

-- What is the same for every line of ours is not written; the rest is.
create temporary view findings as
select
    case
        when (h.kind, h.object) not in (select o.kind, o.object from written as o)
            then format('%s %s has no line: add it to the %ss above', h.kind, h.object, h.kind)
        when h.object is null
            then format('there is no %s %s: take its line out', w.kind, w.object)
        when w.rights is null
            then
                format(
                    '%s %s: %s has %s, and its line says nothing of it',
                    h.kind, h.object, h.role, coalesce(h.rights, '-')
                )
        else
            format(
                '%s %s: %s has %s, and its line says %s',
                h.kind, h.object, h.role, coalesce(h.rights, '-'), w.rights
            )
    end as finding
from written as w
full join (
    select
        x.kind,
        x.object,
        x.role,
        x.rights
    from held as x
    where
        x.kind in ('schema', 'database', 'role', 'setting', 'membership')
        or x.role not in ('public', 'authenticator', 'feed_worker', 'feed_owner')
) as h using (kind, object, role)
where
    w.rights is distinct from coalesce(h.rights, '-')
    or h.object is null;

select is_empty(
    'select distinct finding from findings order by finding',
    'each has the rights that its line says, and no others'
);
select is_empty(
    $$
    select h.kind, h.object, h.role, h.rights
    from held as h
    where
        h.kind in ('relation', 'column', 'sequence', 'type', 'function')
        and h.object !~ '^ext\.'
        and h.role in ('public', 'authenticator')
        and h.rights is not null
    $$,
    'PUBLIC and authenticator have none on anything of ours'
);
select is_empty(
    $$
    select h.kind, h.object, h.rights
    from held as h
    where
        h.kind in ('relation', 'column', 'sequence', 'type', 'function')
        and h.object !~ '^ext\.'
        and h.role in ('feed_owner', 'feed_worker')
        and h.rights is distinct from case h.kind
            when 'relation' then 'rawdDxt'
            when 'column' then 'rawx'
            when 'sequence' then 'rwU'
            when 'type' then 'U'
            when 'function' then 'X'
        end
    $$,
    'and the owner and feed_worker have all of them'
);
select is_empty(
    $$
    select a.what, g.grantee::regrole, g.privilege_type, g.is_grantable
    from (
        select c.object as what, k.relacl as acl, k.relowner as owner
        from relations as c inner join pg_class as k using (oid)
        union all
        select c.object || '.' || t.attname, t.attacl, k.relowner
        from relations as c
        inner join pg_class as k using (oid)
        inner join pg_attribute as t on c.oid = t.attrelid
        union all
        select o.name || '.' || p.proname, p.proacl, p.proowner
        from pg_proc as p inner join our_schemas as o on p.pronamespace = o.oid
        union all
        select n.nspname::text, n.nspacl, n.nspowner from pg_namespace as n
        where n.oid in (select o.oid from our_schemas as o)
    ) as a
    cross join lateral aclexplode(a.acl) as g
    where
        g.grantee <> a.owner
        and (g.is_grantable or g.grantee <> 0 and g.grantee not in (select r.oid from roles as r))
    $$,
    'nobody may pass a right on, and no role beyond these has any'
);
select is_empty(
    $$
    select p.oid::regprocedure
    from pg_proc as p
    where
        p.prosecdef
        and p.pronamespace not in (select o.oid from our_schemas as o)
        and p.pronamespace <> 'tests'::regnamespace
        and has_function_privilege('public', p.oid, 'execute')
    $$,
    'no function of an extension lends everybody its owner''s rights'
);
select is_empty(
    $$
    select m.roleid::regrole, m.member::regrole
    from pg_auth_members as m
    inner join roles as r on m.member = r.oid
    where m.roleid::regrole::text ~ '^pg_' or m.admin_option
    $$,
    'none of the roles has a predefined one, or may make others members'
);
select is_empty(
    $$
    select r.rolname
    from pg_roles as r
    where r.rolsuper and r.oid <> 10
    $$,
    'the only superuser is the one that made the cluster'
);

-- This test can fail: whatever is added, granted or taken away is found.

create role intruder;
create table feed.unwritten (n integer);
alter table feed.users add column secret text;
create function api.unwritten() returns integer language sql return 1;
create type feed.unwritten_kind as enum ('a');
grant select on feed.posters to feed_analyst;
grant update (created_at) on feed.listings to authenticated;
revoke select on api.preferences from authenticated;
revoke execute on function api.get_feed from authenticated;
grant execute on function api.upsert_users to authenticated;
alter function feed.ensure_user security definer;
grant usage on schema ml to service_role;
alter role authenticated reset statement_timeout;
grant feed_analyst to feed_worker;
drop view api.my_interactions;

select set_eq(
    $$select finding from findings where finding !~ ' intruder'$$,
    $$
    values
    ('column feed.listings.created_at: authenticated has rw, and its line says r'),
    ('column feed.listings.created_at: service_role has rw, and its line says r'),
    ('column feed.users.secret has no line: add it to the columns above'),
    ('function api.get_feed: authenticated has -, and its line says X'),
    ('function api.get_feed: service_role has -, and its line says X'),
    ('function api.unwritten has no line: add it to the functions above'),
    ('function api.upsert_users: authenticated has X, and its line says -'),
    ('function feed.ensure_user: runs_as has owner, and its line says caller'),
    (
        'membership feed_analyst: members has authenticator,feed_worker, and its line says '
        'authenticator'
    ),
    ('relation api.preferences: authenticated has w, and its line says rw'),
    ('relation api.preferences: service_role has w, and its line says rw'),
    ('relation feed.posters: feed_analyst has r, and its line says -'),
    ('relation feed.unwritten has no line: add it to the relations above'),
    ('schema ml: service_role has U, and its line says -'),
    ('setting authenticated: statement_timeout has -, and its line says 10s'),
    ('there is no relation api.my_interactions: take its line out'),
    ('type feed.unwritten_kind has no line: add it to the types above')
    $$,
    'what is not as written is reported, object by object'
);
select set_eq(
    $$select finding from findings where finding ~ '^(role|setting|membership) intruder'$$,
    $$
    values
    ('role intruder has no line: add it to the roles above'),
    ('setting intruder has no line: add it to the settings above'),
    ('membership intruder has no line: add it to the memberships above')
    $$,
    'so is a new role'
);

grant select on feed.interaction_keys to public;
select isnt_empty(
    $$select from findings where finding ~ '^relation feed\.interaction_keys: anon has r,'$$,
    'and what is granted to everybody'
);

select finish();
rollback;
