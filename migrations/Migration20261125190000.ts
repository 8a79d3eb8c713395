// A role, and an API key, may hide groups of fields, and be limited to contacts with certain tags.
import { Migration } from '@mikro-orm/migrations';

const everyone = `( SELECT (NULLIF(current_setting('app.tag_scope'::text, true), ''::text) IS NULL))`;
const owned = ['contact_point', 'note', 'activity', 'membership', 'payment', 'ledger_entry', 'balance', 'custom_field_value', 'action_detail'];

const limit = (table: string, column = 'contact_id') => `
      create policy "tag_scope" on "${table}" as restrictive using (${everyone} or in_tag_scope(organization_id, ${column}));`;

export class Migration20261125190000 extends Migration {
  override name = 'Migration20261125190000';

  override up(): void {
    this.addSql(`
      alter table "role" add "hidden_fields" text[] not null default '{}', add "tag_scope" uuid[] null;
      alter table "api_key" add "hidden_fields" text[] not null default '{}', add "tag_scope" uuid[] null;

      -- A function and not a subquery, which every statement would have to make ready, also where nobody is limited.
      create function in_tag_scope(organization uuid, contact uuid) returns boolean language plpgsql stable as $body$
      begin
        return exists (select 1 from public.contact_tag l where l.organization_id = organization and l.contact_id = contact
          and l.tag_id = any (nullif(current_setting('app.tag_scope', true), '')::uuid[]));
      end $body$;
      ${limit('contact', 'id')}
      ${owned.map((table) => limit(table)).join('')}
      create policy "tag_scope" on "deletion" as restrictive using (${everyone} or requested_by_id = (select nullif(current_setting('app.scoped_actor_id', true), '')::uuid));
    `);
  }
}
