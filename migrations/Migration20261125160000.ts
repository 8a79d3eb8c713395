// API keys, an actor of their own kind, and the permission to manage them.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125160000 extends Migration {
  override name = 'Migration20261125160000';

  override up(): void {
    this.addSql(`
      create table "api_key" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "name" text not null,
        "permissions" text[] not null,
        "addresses" text[] not null,
        "secret_digest" bytea not null,
        "created_by_id" uuid not null,
        "created_by_name" text not null,
        "created_at" timestamptz(3) not null default now(),
        "expires_at" timestamptz(3) null,
        "last_used_at" timestamptz(3) null,
        "revoked_at" timestamptz(3) null,
        primary key ("organization_id", "id")
      );
      alter table "api_key" add constraint "api_key_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "api_key" enable row level security;
      alter table "api_key" force row level security;
      create policy "one_organization" on "api_key" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "action_log" drop constraint "action_log_actor_kind_check";
      alter table "action_log" add constraint "action_log_actor_kind_check" check ("actor_kind" in ('STAFF', 'OPERATOR', 'SYSTEM', 'API_KEY'));
      alter table "erasure" drop constraint "erasure_requested_by_kind_check";
      alter table "erasure" add constraint "erasure_requested_by_kind_check" check ("requested_by_kind" in ('STAFF', 'OPERATOR', 'SYSTEM', 'API_KEY'));

      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || '{keys:manage}'::text[]
        where "built_in" and "name" in ('Super admin', 'Admin') and not "permissions" @> '{keys:manage}'::text[];
      alter table "role" force row level security;
    `);
  }
}
