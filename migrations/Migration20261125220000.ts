// What the database does on the server's behalf can't be bent by what a session of the server puts in its way: temporary
// tables, and what hangs on them.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125220000 extends Migration {
  override name = 'Migration20261125220000';

  override up(): void {
    this.addSql(`
      -- Without its schema the queue would be looked for among the session's temporary tables first.
      create or replace function queue_for_sealing() returns trigger language plpgsql as $body$
      begin
        insert into public.action_unsealed (organization_id, action_id) select organization_id, id from added;
        return null;
      end $body$;
      revoke execute on function queue_for_sealing, refuse_change from public;

      drop function restore_rows(anyelement, regclass, uuid[]);
      create function restore_rows(shape anyelement, stage regclass, leave_out uuid[]) returns setof anyelement
      language plpgsql set search_path = pg_catalog, pg_temp set work_mem = '64MB' as $body$
      declare
        live constant regclass := (select typrelid from pg_type where oid = pg_typeof(shape));
        list text;
        fitting boolean;
        key record;
        broken boolean;
        -- This transaction's ids, those of its savepoints included: each is locked by whom it belongs to.
        own constant xid[] := array(select transactionid from pg_locks where pid = pg_backend_pid() and locktype = 'transactionid' and mode = 'ExclusiveLock');
      begin
        -- It may run with more rights than its caller, so it runs nothing of its caller's: neither what a table of the caller's
        -- checks and computes when it is written to, nor what hangs on staged rows and is computed when they are read.
        if not exists (select from pg_class where oid = live and relnamespace = 'public'::regnamespace and relkind = 'r') then
          raise exception 'Rows are restored into the tables of the graph only. Nothing was restored.' using errcode = 'wrong_object_type';
        end if;
        if not exists (
          select from pg_class where oid = stage and relnamespace = pg_my_temp_schema() and relkind = 'r' and relchecks = 0
            and not (relrowsecurity or relhasindex or relhassubclass or relispartition or relhasrules or relhastriggers))
          or exists (select from pg_attrdef where adrelid = stage) or exists (select from pg_statistic_ext where stxrelid = stage)
        then
          raise exception 'Rows are restored from a plain temporary table only. Nothing was restored.' using errcode = 'wrong_object_type';
        end if;
        -- Nothing but foreign keys may be left to this function.
        if exists (select from pg_trigger where tgrelid = live and not tgisinternal) then
          raise exception 'The table % has triggers of its own. Nothing was restored.', live using errcode = 'wrong_object_type';
        end if;
        select string_agg(quote_ident(s.attname), ', ' order by s.attnum), bool_and(t.attnum is not null)
          into list, fitting
          from pg_attribute s
          left join pg_attribute t on t.attrelid = live and t.attname = s.attname and t.atttypid = s.atttypid and t.attnum > 0 and not t.attisdropped
          where s.attrelid = stage and s.attnum > 0 and not s.attisdropped;
        if fitting is not true then
          raise exception 'The columns of the staged rows are not those of %. Nothing was restored.', live using errcode = 'datatype_mismatch';
        end if;
        return query execute format('insert into %1$s (%2$s) select %2$s from %3$s where contact_id <> all ($1) returning %1$s.*', live, list, stage) using leave_out;
        for key in
          select c.conname as name, c.confrelid::regclass as target, string_agg(quote_ident(own.attname), ', ') as own,
            string_agg(format('%I is not null', own.attname), ' and ') as given, string_agg(format('r.%I = w.%I', ref.attname, own.attname), ' and ') as same
          from pg_constraint c
          cross join unnest(c.conkey, c.confkey) k (own, ref)
          join pg_attribute own on own.attrelid = c.conrelid and own.attnum = k.own
          join pg_attribute ref on ref.attrelid = c.confrelid and ref.attnum = k.ref
          where c.conrelid = live and c.contype = 'f' group by c.oid
        loop
          -- As the keys' own triggers do: what is referred to is there and stays until the transaction ends. Nobody else can
          -- remove what this transaction wrote, so that needs no lock.
          execute format(
            'with w as (select distinct %1$s from %2$s where contact_id <> all ($1) and %3$s),
               w_elsewhere as materialized (select * from w where not exists (select from %4$s r where %5$s and r.xmin = any ($2))),
               found as (select from %4$s r join w_elsewhere w on %5$s for key share of r)
             select (select count(*) from w_elsewhere) <> (select count(*) from found)', key.own, stage, key.given, key.target, key.same) into broken using leave_out, own;
          if broken then
            raise exception 'Staged rows of % refer to rows of % that do not exist. Nothing was restored.', live, key.target
              using errcode = 'foreign_key_violation', constraint = key.name, table = live::text;
          end if;
        end loop;
      end $body$;
      revoke execute on function restore_rows from public;
    `);
  }
}
