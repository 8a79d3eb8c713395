// Contacts taken out as files: the records of exports, their job, and the permission, which those get who may do everything.
import { Migration } from '@mikro-orm/migrations';

const currentOrganization = `( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif")`;

export class Migration20261125231000 extends Migration {
  override name = 'Migration20261125231000';

  override up(): void {
    this.addSql(`
      create table "contact_export" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "state" text not null,
        "format" text not null,
        "fields" text[] not null,
        "filter" text null,
        "requested_by_kind" text not null,
        "requested_by_id" uuid not null,
        "requested_by_name" text not null,
        "job_id" uuid not null,
        "requested_at" timestamptz(3) not null default now(),
        "taken_at" timestamptz(3) null,
        "finished_at" timestamptz(3) null,
        "expires_at" timestamptz(3) null,
        "contact_count" int not null default 0,
        "byte_length" bigint not null default '0',
        "file_id" uuid null,
        "shown_groups" text[] not null,
        "tag_scope" uuid[] null,
        "is_stale" boolean not null default false,
        "failure_code" text null,
        "failure_message" text null,
        primary key ("organization_id", "id")
      );
      alter table "contact_export" add constraint "contact_export_state_check" check ("state" in ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'REMOVED'));
      alter table "contact_export" add constraint "contact_export_format_check" check ("format" in ('CSV', 'XLSX', 'VCARD_3', 'VCARD_4'));
      alter table "contact_export" add constraint "contact_export_has_its_file_while_completed" check ((file_id is null) = (state <> 'COMPLETED'));
      alter table "contact_export" enable row level security;
      alter table "contact_export" force row level security;
      create policy "one_organization" on "contact_export" using (organization_id = ${currentOrganization});
      create policy "tag_scope" on "contact_export" as restrictive using ((( SELECT (NULLIF(current_setting('app.tag_scope'::text, true), ''::text) IS NULL)) OR (requested_by_id = ( SELECT (NULLIF(current_setting('app.scoped_actor_id'::text, true), ''::text))::uuid AS "nullif"))));

      alter table "job" drop constraint "job_kind_check";
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS', 'UNDO_RECOVERY', 'ERASE_CONTACTS', 'RESTORE_DRILL', 'TAKE_SNAPSHOT', 'EXPORT_CONTACTS'));
      alter table "job" drop constraint "job_phase_check";
      alter table "job" add constraint "job_phase_check" check ("phase" in ('REMOVING', 'CHECKING', 'SAFEGUARDING', 'MIGRATING', 'RECONCILING', 'PROVING', 'REVERTING', 'ERASING', 'CAPTURING', 'EXPORTING'));

      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || array['contacts:export']
        where "built_in" and "name" in ('Super admin', 'Admin') and not 'contacts:export' = any ("permissions");
      alter table "role" force row level security;
    `);
  }
}
