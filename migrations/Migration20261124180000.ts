// Webhook endpoints, what was delivered to them, and who may manage them.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124180000 extends Migration {
  override name = 'Migration20261124180000';

  override up(): void {
    this.addSql(`
      create table "webhook_endpoint" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "url" text not null,
        "description" text null,
        "sealed_secret" bytea not null,
        "master_key_id" text not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create table "webhook_delivery" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "endpoint_id" uuid not null,
        "event_id" uuid not null,
        "event" text not null,
        "body" text not null,
        "state" text not null,
        "attempts" int not null default 0,
        "last_status" int null,
        "failure" text null,
        "created_at" timestamptz(3) not null default now(),
        "last_attempt_at" timestamptz(3) null,
        "next_attempt_at" timestamptz(3) null,
        "finished_at" timestamptz(3) null,
        primary key ("organization_id", "id")
      );

      alter table "webhook_endpoint" add constraint "webhook_endpoint_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "webhook_delivery" add constraint "webhook_delivery_organization_id_endpoint_id_foreign" foreign key ("organization_id", "endpoint_id") references "webhook_endpoint" ("organization_id", "id") on update no action on delete cascade;
      alter table "webhook_delivery" add constraint "webhook_delivery_organization_id_endpoint_id_event_id_unique" unique ("organization_id", "endpoint_id", "event_id");
      alter table "webhook_delivery" add constraint "webhook_delivery_state_check" check ("state" in ('PENDING', 'DELIVERED', 'FAILED'));
      alter table "webhook_delivery" add constraint "webhook_delivery_is_pending_or_finished" check ((state = 'PENDING') = (next_attempt_at is not null and finished_at is null));

      alter table "webhook_endpoint" enable row level security;
      alter table "webhook_endpoint" force row level security;
      create policy "one_organization" on "webhook_endpoint" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "webhook_delivery" enable row level security;
      alter table "webhook_delivery" force row level security;
      create policy "one_organization" on "webhook_delivery" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      -- The owner changes the roles of every organization, which row-level security keeps it from while it is forced.
      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || array['integrations:manage']
        where "built_in" and "name" in ('Super admin', 'Admin') and not 'integrations:manage' = any ("permissions");
      alter table "role" force row level security;
    `);
  }
}
