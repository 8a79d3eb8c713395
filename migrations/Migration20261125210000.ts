// The action log can be pruned: by one function, which takes whole seals from its beginning that are as old as the owner of
// the tables says.
import { Migration } from '@mikro-orm/migrations';

const own = `organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif")`;

export class Migration20261125210000 extends Migration {
  override name = 'Migration20261125210000';

  override up(): void {
    this.addSql(`
      create table "action_pruning" ("organization_id" uuid not null, "statement" text not null, "signature" bytea not null, primary key ("organization_id"));
      alter table "action_pruning" enable row level security;
      alter table "action_pruning" force row level security;
      create policy "one_organization" on "action_pruning" using (${own});

      -- How old an entry must be to be pruned: every start makes it anew, as the owner of the tables, which is why nobody else
      -- can change it. Below 1 nothing is pruned.
      create function log_retention_days() returns int language sql return 0;

      -- Works as the owner of the tables, because nobody else may delete from them. It trusts no one's search path, and what its
      -- caller may set says only whose log it is.
      create function prune_action_log(statement text, signature bytea) returns int language plpgsql security definer
      set search_path = pg_catalog, pg_temp as $body$
      declare
        pruner constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
        days constant int := public.log_retention_days();
        said constant jsonb := statement::jsonb;
        last constant int := (said->>'number')::int;
        gone uuid[];
        pruned int;
      begin
        if days < 1 or pruner is null or (said->>'organizationId')::uuid is distinct from pruner
          or not exists (select 1 from public.action_seal s where s.organization_id = pruner and s.number = last
            and encode(sha256(convert_to(s.seal, 'UTF8')), 'hex') = said->>'hash')
          or not exists (select 1 from public.action_seal s where s.organization_id = pruner and s.number > last) then
          raise exception 'This is no statement by which the action log could be pruned. Nothing was removed.' using errcode = 'insufficient_privilege';
        end if;
        select array_agg(id) into gone from public.action_seal s, unnest(s.action_ids) id where s.organization_id = pruner and s.number <= last;
        if exists (select 1 from public.action_log a where a.organization_id = pruner and a.id = any(gone) and a.occurred_at > now() - make_interval(days => days)) then
          raise exception 'Entries of the action log are kept for % days, and some of these are younger. Nothing was removed.', days using errcode = 'insufficient_privilege';
        end if;
        perform set_config('app.pruning', 'on', true);
        delete from public.action_reason r where r.organization_id = pruner and r.action_id = any(gone);
        delete from public.action_salt t where t.organization_id = pruner and t.action_id = any(gone);
        delete from public.action_log a where a.organization_id = pruner and a.id = any(gone);
        get diagnostics pruned = row_count;
        delete from public.action_seal s where s.organization_id = pruner and s.number <= last;
        perform set_config('app.pruning', '', true);
        insert into public.action_pruning values (pruner, prune_action_log.statement, prune_action_log.signature)
          on conflict (organization_id) do update set statement = excluded.statement, signature = excluded.signature;
        return pruned;
      end $body$;
      revoke execute on function prune_action_log from public;

      create or replace function refuse_change() returns trigger language plpgsql as $body$
      begin
        -- Who may delete at all is a matter of privileges: the server's role may not.
        if tg_op = 'DELETE' and current_setting('app.pruning', true) = 'on' then
          return null;
        end if;
        raise exception 'Rows of % are only ever added. Nothing was changed.', tg_table_name using errcode = 'insufficient_privilege';
      end $body$;
    `);
  }
}
