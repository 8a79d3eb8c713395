// Contacts are removed with their foreign keys checked for all at once: row by row, for each of the tables that refer to
// contacts, that takes half of what deleting takes. Who may leave the keys' own triggers out is told in migrate.ts.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126020000 extends Migration {
  override name = 'Migration20261126020000';

  override up(): void {
    this.addSql(`
      create function remove_contacts(organization uuid, contacts uuid[]) returns setof contact
      language plpgsql set search_path = pg_catalog, pg_temp as $body$
      declare
        scope constant text := coalesce(current_setting('app.tag_scope', true), '');
        removed uuid[];
        key record;
        broken boolean;
      begin
        -- Nothing but foreign keys may be left to this function.
        if exists (select from pg_trigger where tgrelid = 'public.contact'::regclass and not tgisinternal) then
          raise exception 'The table contact has triggers of its own. Nothing was removed.' using errcode = 'wrong_object_type';
        end if;
        -- The keys' own triggers see what was committed a moment ago, whatever the transaction sees.
        if current_setting('transaction_isolation') <> 'read committed' then
          raise exception 'Contacts are removed in a transaction that sees what others commit. Nothing was removed.' using errcode = 'invalid_transaction_state';
        end if;
        return query execute 'delete from public.contact c where c.organization_id = $1 and c.id = any ($2) returning c.*' using organization, contacts;
        -- What the caller does not see may refer to them as well.
        perform set_config('app.tag_scope', '', true);
        execute 'select array(select unnest($2) except select c.id from public.contact c where c.organization_id = $1 and c.id = any ($2))'
          into removed using organization, contacts;
        for key in
          select c.conname as name, c.conrelid::regclass as source,
            max(own.attname) filter (where ref.attname = 'organization_id') as of_organization, max(own.attname) filter (where ref.attname = 'id') as of_contact
          from pg_constraint c
          cross join unnest(c.conkey, c.confkey) k (own, ref)
          join pg_attribute own on own.attrelid = c.conrelid and own.attnum = k.own
          join pg_attribute ref on ref.attrelid = c.confrelid and ref.attnum = k.ref
          where c.confrelid = 'public.contact'::regclass and c.contype = 'f' group by c.oid
        loop
          -- As the keys' own triggers do. Nothing can come to refer to them meanwhile: that waits for whoever deletes them.
          execute format('select exists (select from %s r where r.%I = $1 and r.%I = any ($2))', key.source, key.of_organization, key.of_contact)
            into broken using organization, removed;
          if broken then
            raise exception 'Rows of % refer to contacts that were to be removed. Nothing was removed.', key.source
              using errcode = 'foreign_key_violation', constraint = key.name, table = key.source::text;
          end if;
        end loop;
        perform set_config('app.tag_scope', scope, true);
      end $body$;
      revoke execute on function remove_contacts from public;
    `);
  }
}
