// Snapshots of a whole organization, made of chunks that may be those of an earlier one; who may see and take them.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124143932 extends Migration {
  override name = 'Migration20261124143932';

  override up(): void {
    this.addSql(`
      create table "organization_snapshot" ("organization_id" uuid not null, "id" uuid not null, "kind" text not null, "state" text not null, "label" text null, "night" date null, "requested_by_id" uuid null, "requested_by_name" text not null, "job_id" uuid null, "requested_at" timestamptz(3) not null default now(), "taken_at" timestamptz(3) null, "finished_at" timestamptz(3) null, "contact_count" int not null default 0, "row_counts" jsonb not null, "stored_bytes" bigint not null default '0', "new_bytes" bigint not null default '0', "chunk_count" int not null default 0, "new_chunk_count" int not null default 0, "failure_code" text null, "failure_message" text null, primary key ("organization_id", "id"));
      alter table "organization_snapshot" add constraint "organization_snapshot_organization_id_night_unique" unique ("organization_id", "night");
      create unique index "organization_snapshot_one_at_a_time" on "organization_snapshot" ("organization_id") where state = 'TAKING';

      create table "snapshot_part" ("organization_id" uuid not null, "snapshot_id" uuid not null, "number" int not null, "until_contact_id" uuid not null, "chunk_snapshot_id" uuid not null, "chunk_number" int not null, primary key ("organization_id", "snapshot_id", "number"));
      create index "snapshot_part_organization_id_chunk_snapshot_id_ch_f3045_index" on "snapshot_part" ("organization_id", "chunk_snapshot_id", "chunk_number");
      alter table "snapshot_part" add constraint "snapshot_part_organization_id_snapshot_id_until_c_69100_unique" unique ("organization_id", "snapshot_id", "until_contact_id");

      alter table "job" drop constraint "job_kind_check";
      alter table "job" drop constraint "job_phase_check";
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS', 'UNDO_RECOVERY', 'ERASE_CONTACTS', 'RESTORE_DRILL', 'TAKE_SNAPSHOT'));
      alter table "job" add constraint "job_phase_check" check ("phase" in ('REMOVING', 'CHECKING', 'SAFEGUARDING', 'MIGRATING', 'RECONCILING', 'PROVING', 'REVERTING', 'ERASING', 'CAPTURING'));

      alter table "snapshot_chunk" add "content" bytea null;
      create index "snapshot_chunk_content" on "snapshot_chunk" ("organization_id", "content") where content is not null;

      alter table "organization_snapshot" add constraint "organization_snapshot_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "organization_snapshot" add constraint "organization_snapshot_kind_check" check ("kind" in ('SCHEDULED', 'MANUAL'));
      alter table "organization_snapshot" add constraint "organization_snapshot_state_check" check ("state" in ('TAKING', 'COMPLETE', 'FAILED'));
      alter table "organization_snapshot" enable row level security;
      alter table "organization_snapshot" force row level security;
      create policy "one_organization" on "organization_snapshot" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "snapshot_part" enable row level security;
      alter table "snapshot_part" force row level security;
      create policy "one_organization" on "snapshot_part" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      -- The owner changes the roles of every organization, which row-level security keeps it from while it is forced.
      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || array['snapshots:read', 'snapshots:take']
        where "built_in" and "name" in ('Super admin', 'Admin') and not 'snapshots:read' = any ("permissions");
      alter table "role" force row level security;
    `);
  }
}
