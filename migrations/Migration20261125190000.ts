// A role, and an API key, may hide groups of fields, and be limited to contacts with certain tags.
import { Migration } from '@mikro-orm/migrations';

const everyone = `( SELECT (NULLIF(current_setting('app.tag_scope'::text, true), ''::text) IS NULL))`;
const owned = ['contact_point', 'note', 'activity', 'membership', 'payment', 'ledger_entry', 'balance', 'custom_field_value', 'action_detail'];

const limit = (table: string, column = 'contact_id') => `
      create policy "tag_scope" on "${table}" as restrictive using (${everyone} or exists (
        select 1 from contact_tag l where l.organization_id = ${table}.organization_id and l.contact_id = ${table}.${column}
          and l.tag_id = any ((select nullif(current_setting('app.tag_scope', true), '')::uuid[])::uuid[])));`;

export class Migration20261125190000 extends Migration {
  override name = 'Migration20261125190000';

  override up(): void {
    this.addSql(`
      alter table "role" add "hidden_fields" text[] not null default '{}', add "tag_scope" uuid[] null;
      alter table "api_key" add "hidden_fields" text[] not null default '{}', add "tag_scope" uuid[] null;
      ${limit('contact', 'id')}
      ${owned.map((table) => limit(table)).join('')}
      create policy "tag_scope" on "deletion" as restrictive using (${everyone} or requested_by_id = (select nullif(current_setting('app.scoped_actor_id', true), '')::uuid));
    `);
  }
}
