// Restore drills, and who may see them.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124145700 extends Migration {
  override name = 'Migration20261124145700';

  override up(): void {
    this.addSql(`
      create table "restore_drill" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "snapshot_id" uuid not null,
        "outcome" text not null,
        "failure" text null,
        "contact_count" int not null,
        "row_count" int not null,
        "byte_count" bigint not null,
        "opening_seconds" double precision not null,
        "writing_seconds" double precision not null,
        "proving_seconds" double precision not null,
        "started_at" timestamptz(3) not null,
        "finished_at" timestamptz(3) not null default clock_timestamp(),
        primary key ("organization_id", "id")
      );

      alter table "job" drop constraint "job_kind_check";
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS', 'UNDO_RECOVERY', 'ERASE_CONTACTS', 'RESTORE_DRILL', 'TAKE_SNAPSHOT'));

      alter table "restore_drill" add constraint "restore_drill_outcome_check" check ("outcome" in ('PASSED', 'FAILED'));
      alter table "restore_drill" enable row level security;
      alter table "restore_drill" force row level security;
      create policy "one_organization" on "restore_drill" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      -- The owner changes the roles of every organization, which row-level security keeps it from while it is forced.
      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || array['snapshots:read']
        where "built_in" and "name" in ('Super admin', 'Admin') and not 'snapshots:read' = any ("permissions");
      alter table "role" force row level security;
    `);
  }
}
