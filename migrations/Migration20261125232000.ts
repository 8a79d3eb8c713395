// Imports, the rows of their files, and mappings under a name. Who could create contacts from a file may go on doing so.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125232000 extends Migration {
  override name = 'Migration20261125232000';

  override up(): void {
    this.addSql(`
      alter table "organization" add column "country" char(2) null;

      create table "import_row" ("organization_id" uuid not null, "import_id" uuid not null, "row_number" int not null, "kind" text not null, "contact_id" uuid null, "matched_by" text null, "repeats" int null, "deleted_contact_id" uuid null, "deletion_id" uuid null, "taken" text null, "fills" boolean null, "differs" boolean null, "draft" text[] null, "owned" jsonb null, "cells" jsonb null, "problems" jsonb null, "outcome" text null, "owned_count" int null, "action_id" uuid null, "undo_outcome" text null, primary key ("organization_id", "import_id", "row_number"));
      create index "import_row_organization_id_contact_id_index" on "import_row" ("organization_id", "contact_id") where contact_id is not null;
      create index "import_row_organization_id_deleted_contact_id_index" on "import_row" ("organization_id", "deleted_contact_id") where deleted_contact_id is not null;

      create table "import_template" ("organization_id" uuid not null, "id" uuid not null, "name" text not null, "read_options" jsonb not null, "mapping" jsonb not null, "settings" jsonb not null, "created_by_name" text not null, "created_at" timestamptz(3) not null default now(), "updated_at" timestamptz(3) not null default now(), primary key ("organization_id", "id"));
      alter table "import_template" add constraint "import_template_organization_id_name_unique" unique ("organization_id", "name");

      create table "import" ("organization_id" uuid not null, "id" uuid not null, "state" text not null, "file_id" uuid null, "file_name" text not null, "byte_length" bigint not null, "file_digest" bytea not null, "read_options" jsonb not null, "facts" jsonb null, "mapping" jsonb not null, "settings" jsonb not null, "mapping_digest" bytea null, "questions" jsonb null, "duplicate_policy" text not null, "deleted_policy" text null, "barred" text[] not null, "row_count" int not null default 0, "counts" jsonb null, "run_id" uuid null, "job_id" uuid null, "failure_code" text null, "failure_message" text null, "requested_by_id" uuid not null, "requested_by_name" text not null, "created_at" timestamptz(3) not null default now(), "checked_at" timestamptz(3) null, "applied_by_name" text null, "applied_at" timestamptz(3) null, "expires_at" timestamptz(3) not null, "undone_by_name" text null, "undone_at" timestamptz(3) null, "undo_deletion_id" uuid null, "rows_removed_at" timestamptz(3) null, primary key ("organization_id", "id"));
      create unique index "import_applied_once" on "import" ("organization_id", "file_digest", "mapping_digest") where state in ('APPLYING', 'STOPPED', 'APPLIED', 'UNDOING');

      alter table "job" drop constraint "job_kind_check";
      alter table "job" drop constraint "job_phase_check";
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS', 'UNDO_RECOVERY', 'ERASE_CONTACTS', 'RESTORE_DRILL', 'TAKE_SNAPSHOT', 'CHECK_IMPORT', 'APPLY_IMPORT', 'UNDO_IMPORT', 'EXPORT_CONTACTS'));
      alter table "job" add constraint "job_phase_check" check ("phase" in ('REMOVING', 'CHECKING', 'SAFEGUARDING', 'MIGRATING', 'RECONCILING', 'PROVING', 'REVERTING', 'ERASING', 'CAPTURING', 'READING', 'APPLYING', 'UNDOING', 'EXPORTING'));

      create table "import_tag" ("organization_id" uuid not null, "import_id" uuid not null, "tag_id" uuid not null, primary key ("organization_id", "import_id", "tag_id"));
      alter table "import_tag" enable row level security;
      alter table "import_tag" force row level security;
      create policy "one_organization" on "import_tag" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "import_row" add constraint "import_row_kind_check" check ("kind" in ('NEW', 'MATCH', 'DELETED', 'REPEATED', 'REFUSED'));
      alter table "import_row" add constraint "import_row_matched_by_check" check ("matched_by" in ('EMAIL', 'PHONE', 'MEMBER_NUMBER', 'NAME_AND_BIRTH_DATE'));
      alter table "import_row" add constraint "import_row_taken_check" check ("taken" in ('EMAIL', 'MEMBER_NUMBER'));
      alter table "import_row" add constraint "import_row_outcome_check" check ("outcome" in ('CREATED', 'UPDATED', 'SKIPPED', 'REFUSED'));
      alter table "import_row" add constraint "import_row_undo_outcome_check" check ("undo_outcome" in ('REVERTED', 'KEPT', 'GONE'));
      alter table "import_row" enable row level security;
      alter table "import_row" force row level security;
      create policy "one_organization" on "import_row" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "import_template" add constraint "import_template_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "import_template" enable row level security;
      alter table "import_template" force row level security;
      create policy "one_organization" on "import_template" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "import" add constraint "import_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "import" add constraint "import_state_check" check ("state" in ('CHECKING', 'CHECKED', 'APPLYING', 'STOPPED', 'APPLIED', 'UNDOING', 'UNDONE', 'FAILED', 'DISCARDED'));
      alter table "import" add constraint "import_duplicate_policy_check" check ("duplicate_policy" in ('SKIP', 'FILL_EMPTY', 'OVERWRITE', 'CREATE'));
      alter table "import" add constraint "import_deleted_policy_check" check ("deleted_policy" in ('SKIP', 'CREATE'));
      alter table "import" enable row level security;
      alter table "import" force row level security;
      create policy "one_organization" on "import" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
    `);
  }
}
