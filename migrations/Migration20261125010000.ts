// Reasons, which may name people, move out of the action log, where nothing can be taken back, to a table beside it.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125010000 extends Migration {
  override name = 'Migration20261125010000';

  override up(): void {
    this.addSql(`
      create table "action_reason" (
        "organization_id" uuid not null,
        "action_id" uuid not null,
        "reason" text not null,
        primary key ("organization_id", "action_id")
      );

      -- Of every organization, which row-level security keeps the owner from while it is forced. What was said of an erasure that
      -- is done, and of a deletion that someone was erased from, does not move along.
      alter table "action_log" no force row level security;
      alter table "deletion" no force row level security;
      alter table "erasure" no force row level security;
      insert into "action_reason" ("organization_id", "action_id", "reason")
        select a."organization_id", a."id", a."reason" from "action_log" a
        where a."reason" is not null
          and not exists (select 1 from "deletion" d where d."organization_id" = a."organization_id" and d."id" in (a."deletion_id", a."target_id") and d."reason" is null)
          and not exists (select 1 from "erasure" e where e."organization_id" = a."organization_id" and e."id" = a."target_id" and e."state" = 'COMPLETED');
      alter table "action_log" force row level security;
      alter table "deletion" force row level security;
      alter table "erasure" force row level security;
      alter table "action_log" drop column "reason";

      alter table "action_reason" enable row level security;
      alter table "action_reason" force row level security;
      create policy "one_organization" on "action_reason" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
    `);
  }
}
