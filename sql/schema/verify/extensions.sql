begin;

select
    ext.st_distance('point(0 0)'::ext.geography, 'point(0 1)'::ext.geography, false),
    ext.digest('', 'sha256');

select 1 / count(*) from pg_catalog.pg_language
where lanname = 'plpython3u';

rollback;
