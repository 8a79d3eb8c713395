// The action log is sealed: what may be erased of an entry is in it as a salted digest, what is not yet sealed stands in a
// queue, and nobody changes or removes what is there.
import { Migration } from '@mikro-orm/migrations';

const own = `organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif")`;

const tenant = (table: string) => `
      alter table "${table}" enable row level security;
      alter table "${table}" force row level security;
      create policy "one_organization" on "${table}" using (${own});`;

export class Migration20261125120000 extends Migration {
  override name = 'Migration20261125120000';

  override up(): void {
    this.addSql(`
      alter table "action_log" add "reason_digest" bytea null, add "detail_digest" bytea null;
      alter table "action_reason" add "salt" bytea null;
      create table "action_salt" ("organization_id" uuid not null, "action_id" uuid not null, "contact_id" uuid not null, "salt" bytea not null, primary key ("organization_id", "action_id"));
      create index "action_salt_organization_id_contact_id_index" on "action_salt" ("organization_id", "contact_id");
      create table "action_unsealed" ("organization_id" uuid not null, "action_id" uuid not null, primary key ("organization_id", "action_id"));
      create table "action_seal" (
        "organization_id" uuid not null,
        "number" int not null,
        "seal" text not null,
        "signature" bytea not null,
        "action_ids" uuid[] not null,
        "leaves" bytea not null,
        primary key ("organization_id", "number")
      );
      create table "action_checkpoint" (
        "organization_id" uuid not null,
        "seal_number" int not null,
        "location" text not null,
        "exported_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "seal_number")
      );

      -- Entries that were there before. Of every organization, which row-level security keeps the owner from while it is forced.
      alter table "action_log" no force row level security;
      alter table "action_reason" no force row level security;
      update "action_reason" set "salt" = uuid_send(gen_random_uuid());
      update "action_log" a set "reason_digest" = sha256(r."salt" || convert_to(to_json(r."reason")::text, 'UTF8'))
        from "action_reason" r where r."organization_id" = a."organization_id" and r."action_id" = a."id";
      insert into "action_unsealed" select "organization_id", "id" from "action_log";
      alter table "action_log" force row level security;
      alter table "action_reason" force row level security;
      alter table "action_reason" alter column "salt" set not null;
      ${['action_salt', 'action_unsealed', 'action_seal', 'action_checkpoint'].map(tenant).join('')}
      create policy "platform" on "action_unsealed" for select using (current_setting('app.platform', true) = 'on');

      create function queue_for_sealing() returns trigger language plpgsql as $body$
      begin
        insert into action_unsealed (organization_id, action_id) select organization_id, id from added;
        return null;
      end $body$;
      create trigger "queue_for_sealing" after insert on "action_log" referencing new table as added for each statement execute function queue_for_sealing();

      create function refuse_change() returns trigger language plpgsql as $body$
      begin
        raise exception 'Rows of % are only ever added. Nothing was changed.', tg_table_name using errcode = 'insufficient_privilege';
      end $body$;
      create trigger "only_added" before update or delete or truncate on "action_log" for each statement execute function refuse_change();
      create trigger "only_added" before update or delete or truncate on "action_seal" for each statement execute function refuse_change();
    `);
  }
}
