begin;

select 1 / count(*) from feed.data_lifetimes
where
    ticket_lifetime > interval '0'
    and (interaction_lifetime is null or interaction_lifetime >= interval '2 months')
    and (impression_lifetime is null or impression_lifetime >= interval '2 months');

rollback;
