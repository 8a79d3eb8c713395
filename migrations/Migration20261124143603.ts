// Erasures with their subjects, the ledger of keyed hashes, warnings before a deadline, and the permission to erase.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124143603 extends Migration {
  override name = 'Migration20261124143603';

  override up(): void {
    this.addSql(`
      create table "deletion_warning" ("organization_id" uuid not null, "deletion_id" uuid not null, "days_before" int not null, "warned_at" timestamptz(3) not null default now(), primary key ("organization_id", "deletion_id", "days_before"));

      create table "erasure_ledger" ("organization_id" uuid not null, "keyed_hash" bytea not null, "erased_at" timestamptz(3) not null default now(), primary key ("organization_id", "keyed_hash"));

      create table "erasure_subject" ("organization_id" uuid not null, "erasure_id" uuid not null, "contact_id" uuid not null, primary key ("organization_id", "erasure_id", "contact_id"));
      create index "erasure_subject_organization_id_contact_id_index" on "erasure_subject" ("organization_id", "contact_id");

      create table "erasure" ("organization_id" uuid not null, "id" uuid not null, "kind" text not null, "state" text not null, "ground" text not null, "requested_by_kind" text not null, "requested_by_id" uuid null, "requested_by_name" text not null, "confirmation_id" uuid null, "deletion_id" uuid null, "job_id" uuid null, "subject_count" int not null default 0, "row_counts" jsonb not null, "stores" jsonb not null, "destroyed_keys" uuid[] not null, "requested_at" timestamptz(3) not null default now(), "done_at" timestamptz(3) null, "certificate" text null, "signature" bytea null, primary key ("organization_id", "id"));
      alter table "erasure" add constraint "erasure_organization_id_confirmation_id_unique" unique ("organization_id", "confirmation_id");
      alter table "erasure" add constraint "erasure_organization_id_deletion_id_unique" unique ("organization_id", "deletion_id");

      alter table "job" drop constraint "job_kind_check";
      alter table "job" drop constraint "job_phase_check";
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS', 'ERASE_CONTACTS'));
      alter table "job" add constraint "job_phase_check" check ("phase" in ('REMOVING', 'CHECKING', 'MIGRATING', 'RECONCILING', 'PROVING', 'ERASING'));

      alter table "deletion" drop constraint "deletion_state_check";
      alter table "deletion" add "erased_at" timestamptz(3) null;
      alter table "deletion" alter column "reason" drop not null;
      alter table "deletion" add constraint "deletion_state_check" check ("state" in ('RUNNING', 'COMPLETED', 'ERASING', 'ERASED'));

      alter table "deletion_warning" enable row level security;
      alter table "deletion_warning" force row level security;
      create policy "one_organization" on "deletion_warning" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "erasure_ledger" enable row level security;
      alter table "erasure_ledger" force row level security;
      create policy "one_organization" on "erasure_ledger" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "erasure_subject" enable row level security;
      alter table "erasure_subject" force row level security;
      create policy "one_organization" on "erasure_subject" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "erasure" add constraint "erasure_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "erasure" add constraint "erasure_is_certified_when_completed" check ((state = 'COMPLETED') = (certificate is not null and signature is not null and done_at is not null));
      alter table "erasure" add constraint "erasure_kind_check" check ("kind" in ('PURGE', 'ARTICLE_17'));
      alter table "erasure" add constraint "erasure_state_check" check ("state" in ('RUNNING', 'COMPLETED'));
      alter table "erasure" add constraint "erasure_ground_check" check ("ground" in ('RETENTION_ENDED', 'CONSENT_WITHDRAWN', 'OBJECTION', 'UNLAWFUL_PROCESSING', 'LEGAL_OBLIGATION', 'CHILD'));
      alter table "erasure" add constraint "erasure_requested_by_kind_check" check ("requested_by_kind" in ('STAFF', 'OPERATOR', 'SYSTEM'));
      alter table "erasure" enable row level security;
      alter table "erasure" force row level security;
      create policy "one_organization" on "erasure" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      -- Whoever could do everything still can. The owner writes for every organization, which row-level security keeps it from while it is forced.
      alter table "role" no force row level security;
      update "role" set permissions = array_append(permissions, 'contacts:erase')
        where built_in and name in ('Super admin', 'Admin') and not 'contacts:erase' = any (permissions);
      alter table "role" force row level security;
    `);
  }
}
