-- The model in force, held in force until the transaction ends.
--
-- Why a lock: a writer that saw the former model just before the pointer moved would leave
-- its listing without a vector under the new one. With the lock either the writer commits
-- first and publishing sees its listing, or publishing commits first and the writer sees
-- the new model.
--
-- Called by   ml.write_listing_vectors, ml.forget_user

create or replace function ml.model_for_writing()
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(ml.publish_lock_key());

    if current_setting('transaction_isolation') <> 'read committed' then
        -- An older snapshot does not see a pointer that moved before the lock was ours.
        -- Locking the row does, and fails with a serialization error: the client's to retry.
        perform from ml.current_model as c for share;
    end if;

    return (select c.model_id from ml.current_model as c);
end;
$$;

comment on function ml.model_for_writing is
'The model in force, which stays so until the transaction ends; null before the first training.';
