begin;

select
    ext.st_distance('point(0 0)'::ext.geography, 'point(0 1)'::ext.geography, false),
    ext.hmac('', ext.gen_random_bytes(1), 'sha256');

rollback;
