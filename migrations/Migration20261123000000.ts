// The foundation: organizations and staff, the contact graph, the action log, deletions and their snapshots, recoveries, jobs.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261123000000 extends Migration {
  override name = 'Migration20261123000000';

  override up(): void {
    this.addSql(`
      create table "account" (
        "id" uuid not null,
        "email" text not null,
        "password_hash" text not null,
        "name" text not null,
        "organization_id" uuid null,
        "staff_member_id" uuid null,
        "platform_permissions" text[] not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("id")
      );
      alter table "account" add constraint "account_email_unique" unique ("email");
      alter table "account" add constraint "account_is_staff_or_operator" check ((organization_id is null) = (staff_member_id is null));
      create table "action_log" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "occurred_at" timestamptz(3) not null default clock_timestamp(),
        "actor_kind" text not null,
        "actor_id" uuid null,
        "actor_name" text not null,
        "action" text not null,
        "outcome" text not null,
        "code" text null,
        "target_kind" text null,
        "target_id" uuid null,
        "target_count" int not null default 0,
        "deletion_id" uuid null,
        "chunk_number" int null,
        "reason" text null,
        "request_id" text not null,
        "address" text null,
        "agent" text null,
        primary key ("organization_id", "id")
      );
      create index "action_log_organization_id_occurred_at_id_index" on "action_log" ("organization_id", "occurred_at", "id");
      create index "action_log_organization_id_target_id_index" on "action_log" ("organization_id", "target_id");
      create index "action_log_organization_id_deletion_id_index" on "action_log" ("organization_id", "deletion_id");
      alter table "action_log" add constraint "action_log_actor_kind_check" check ("actor_kind" in ('STAFF', 'OPERATOR', 'SYSTEM'));
      alter table "action_log" add constraint "action_log_outcome_check" check ("outcome" in ('DONE', 'REFUSED'));
      create table "contact" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "member_number" text null,
        "first_name" text null,
        "last_name" text null,
        "email" text null,
        "email_normalized" text null,
        "company" text null,
        "job_title" text null,
        "street" text null,
        "city" text null,
        "postal_code" text null,
        "country" text null,
        "birth_date" date null,
        "sort_name" text not null,
        "search_text" text not null,
        "version" int not null default 1,
        "created_at" timestamptz(3) not null default now(),
        "updated_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "contact_organization_id_sort_name_id_index" on "contact" ("organization_id", "sort_name", "id");
      alter table "contact" add constraint "contact_organization_id_email_normalized_unique" unique ("organization_id", "email_normalized");
      alter table "contact" add constraint "contact_organization_id_member_number_unique" unique ("organization_id", "member_number");
      alter table "contact" add constraint "contact_email_is_normalized" check ((email is null) = (email_normalized is null));
      create table "balance" (
        "organization_id" uuid not null,
        "contact_id" uuid not null,
        "currency" char(3) not null,
        "amount_minor" bigint not null,
        "updated_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "contact_id", "currency")
      );
      create table "action_detail" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "action_id" uuid not null,
        "changes" jsonb not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "action_detail_organization_id_contact_id_id_index" on "action_detail" ("organization_id", "contact_id", "id");
      create table "contact_point" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "kind" text not null,
        "label" text null,
        "value" text not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "contact_point_organization_id_contact_id_id_index" on "contact_point" ("organization_id", "contact_id", "id");
      alter table "contact_point" add constraint "contact_point_kind_check" check ("kind" in ('EMAIL', 'PHONE', 'ADDRESS', 'WEBSITE'));
      create table "deletion_contact" (
        "organization_id" uuid not null,
        "contact_id" uuid not null,
        "deletion_id" uuid not null,
        "chunk_number" int not null,
        primary key ("organization_id", "contact_id", "deletion_id")
      );
      create index "deletion_contact_organization_id_deletion_id_chunk_number_index" on "deletion_contact" ("organization_id", "deletion_id", "chunk_number");
      create table "job" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "kind" text not null,
        "state" text not null,
        "subject_id" uuid not null,
        "phase" text null,
        "done" int not null default 0,
        "total" int not null,
        "failure_code" text null,
        "failure_message" text null,
        "created_at" timestamptz(3) not null default now(),
        "started_at" timestamptz(3) null,
        "updated_at" timestamptz(3) not null default now(),
        "finished_at" timestamptz(3) null,
        primary key ("organization_id", "id")
      );
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS'));
      alter table "job" add constraint "job_state_check" check ("state" in ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'));
      alter table "job" add constraint "job_phase_check" check ("phase" in ('REMOVING', 'CHECKING', 'MIGRATING', 'RECONCILING', 'PROVING'));
      create table "organization" (
        "id" uuid not null,
        "name" text not null,
        "plan" text not null,
        "currency" char(3) not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("id")
      );
      alter table "organization" add constraint "organization_plan_check" check ("plan" in ('FREE', 'STANDARD', 'PREMIUM'));
      create table "membership_plan" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "name" text not null,
        "price_minor" bigint not null,
        "currency" char(3) not null,
        "interval" text not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "membership_plan" add constraint "membership_plan_organization_id_name_unique" unique ("organization_id", "name");
      alter table "membership_plan" add constraint "membership_plan_interval_check" check ("interval" in ('MONTH', 'YEAR', 'LIFETIME'));
      create table "membership" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "plan_id" uuid not null,
        "state" text not null,
        "starts_on" date not null,
        "ends_on" date null,
        "created_at" timestamptz(3) not null default now(),
        "updated_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "membership_organization_id_contact_id_id_index" on "membership" ("organization_id", "contact_id", "id");
      alter table "membership" add constraint "membership_state_check" check ("state" in ('ACTIVE', 'EXPIRED', 'CANCELLED'));
      create table "deletion" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "state" text not null,
        "reason" text not null,
        "requested_by_id" uuid not null,
        "requested_by_name" text not null,
        "confirmation_id" uuid not null,
        "snapshot_id" uuid not null,
        "job_id" uuid null,
        "contact_count" int not null,
        "requested_at" timestamptz(3) not null default now(),
        "deleted_at" timestamptz(3) null,
        "recoverable_until" timestamptz(3) null,
        primary key ("organization_id", "id")
      );
      alter table "deletion" add constraint "deletion_organization_id_confirmation_id_unique" unique ("organization_id", "confirmation_id");
      alter table "deletion" add constraint "deletion_state_check" check ("state" in ('RUNNING', 'COMPLETED'));
      create table "custom_field_definition" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "key" text not null,
        "label" text not null,
        "kind" text not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "custom_field_definition" add constraint "custom_field_definition_organization_id_key_unique" unique ("organization_id", "key");
      alter table "custom_field_definition" add constraint "custom_field_definition_kind_check" check ("kind" in ('TEXT', 'NUMBER', 'DATE', 'BOOLEAN'));
      create table "custom_field_value" (
        "organization_id" uuid not null,
        "contact_id" uuid not null,
        "definition_id" uuid not null,
        "value" text not null,
        primary key ("organization_id", "contact_id", "definition_id")
      );
      create index "custom_field_value_organization_id_definition_id_index" on "custom_field_value" ("organization_id", "definition_id");
      create table "payment" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "membership_id" uuid null,
        "amount_minor" bigint not null,
        "currency" char(3) not null,
        "method" text not null,
        "reference" text null,
        "paid_at" timestamptz(3) not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "payment_organization_id_contact_id_id_index" on "payment" ("organization_id", "contact_id", "id");
      create index "payment_organization_id_membership_id_index" on "payment" ("organization_id", "membership_id");
      alter table "payment" add constraint "payment_method_check" check ("method" in ('CARD', 'BANK_TRANSFER', 'CASH', 'DIRECT_DEBIT', 'OTHER'));
      create table "ledger_entry" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "payment_id" uuid null,
        "kind" text not null,
        "amount_minor" bigint not null,
        "currency" char(3) not null,
        "description" text not null,
        "occurred_at" timestamptz(3) not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "ledger_entry_organization_id_contact_id_id_index" on "ledger_entry" ("organization_id", "contact_id", "id");
      create index "ledger_entry_organization_id_payment_id_index" on "ledger_entry" ("organization_id", "payment_id");
      alter table "ledger_entry" add constraint "ledger_entry_kind_check" check ("kind" in ('CHARGE', 'PAYMENT', 'REFUND', 'ADJUSTMENT', 'OPENING'));
      create table "recovery_chunk" (
        "organization_id" uuid not null,
        "recovery_request_id" uuid not null,
        "number" int not null,
        "restored_count" int not null,
        "clash_count" int not null,
        "restored_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "recovery_request_id", "number")
      );
      create table "recovery_clash" (
        "organization_id" uuid not null,
        "recovery_request_id" uuid not null,
        "contact_id" uuid not null,
        "chunk_number" int not null,
        "kind" text not null,
        "live_contact_id" uuid not null,
        primary key ("organization_id", "recovery_request_id", "contact_id")
      );
      alter table "recovery_clash" add constraint "recovery_clash_kind_check" check ("kind" in ('SAME_ID', 'SAME_EMAIL', 'SAME_MEMBER_NUMBER'));
      create table "recovery_request" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "deletion_id" uuid not null,
        "state" text not null,
        "idempotency_key" text not null,
        "requested_by_id" uuid not null,
        "requested_by_name" text not null,
        "job_id" uuid null,
        "contact_count" int not null,
        "restored_count" int not null default 0,
        "clash_count" int not null default 0,
        "proven_count" int not null default 0,
        "failure_code" text null,
        "failure_message" text null,
        "requested_at" timestamptz(3) not null default now(),
        "started_at" timestamptz(3) null,
        "finished_at" timestamptz(3) null,
        primary key ("organization_id", "id")
      );
      alter table "recovery_request" add constraint "recovery_request_organization_id_idempotency_key_unique" unique ("organization_id", "idempotency_key");
      create unique index "recovery_request_one_per_deletion" on "recovery_request" ("organization_id", "deletion_id") where state in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED');
      alter table "recovery_request" add constraint "recovery_request_state_check" check ("state" in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED'));
      create table "invoice" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "number" text not null,
        "recovery_request_id" uuid not null,
        "state" text not null,
        "amount_minor" bigint not null,
        "currency" char(3) not null,
        "provider" text not null,
        "provider_reference" text null,
        "issued_at" timestamptz(3) not null default now(),
        "paid_at" timestamptz(3) null,
        "refunded_at" timestamptz(3) null,
        primary key ("organization_id", "id")
      );
      alter table "invoice" add constraint "invoice_organization_id_number_unique" unique ("organization_id", "number");
      alter table "invoice" add constraint "invoice_organization_id_recovery_request_id_unique" unique ("organization_id", "recovery_request_id");
      alter table "invoice" add constraint "invoice_state_check" check ("state" in ('OPEN', 'PAID', 'REFUNDED', 'VOID'));
      create table "role" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "name" text not null,
        "description" text not null,
        "built_in" boolean not null default false,
        "permissions" text[] not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "role" add constraint "role_organization_id_name_unique" unique ("organization_id", "name");
      create table "snapshot" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "kind" text not null,
        "schema_version" int not null,
        "master_key_id" text not null,
        "wrapped_key" bytea not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "snapshot" add constraint "snapshot_kind_check" check ("kind" in ('DELETION'));
      create table "snapshot_chunk" (
        "organization_id" uuid not null,
        "snapshot_id" uuid not null,
        "number" int not null,
        "contact_count" int not null,
        "row_counts" jsonb not null,
        "balances" jsonb not null,
        "raw_bytes" int not null,
        "stored_bytes" int not null,
        "digest" bytea not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "snapshot_id", "number")
      );
      create table "snapshot_chunk_body" (
        "organization_id" uuid not null,
        "snapshot_id" uuid not null,
        "number" int not null,
        "body" bytea not null,
        primary key ("organization_id", "snapshot_id", "number")
      );
      create table "staff_member" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "name" text not null,
        "email" text not null,
        "suspended_at" timestamptz(3) null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "staff_member" add constraint "staff_member_organization_id_email_unique" unique ("organization_id", "email");
      create table "note" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "author_id" uuid null,
        "author_name" text not null,
        "body" text not null,
        "created_at" timestamptz(3) not null default now(),
        "updated_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "note_organization_id_contact_id_id_index" on "note" ("organization_id", "contact_id", "id");
      create table "activity" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "contact_id" uuid not null,
        "author_id" uuid null,
        "author_name" text not null,
        "kind" text not null,
        "subject" text not null,
        "occurred_at" timestamptz(3) not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      create index "activity_organization_id_contact_id_id_index" on "activity" ("organization_id", "contact_id", "id");
      alter table "activity" add constraint "activity_kind_check" check ("kind" in ('CALL', 'EMAIL', 'MEETING', 'EVENT', 'VISIT', 'OTHER'));
      create table "staff_member_role" (
        "organization_id" uuid not null,
        "staff_member_id" uuid not null,
        "role_id" uuid not null,
        primary key ("organization_id", "staff_member_id", "role_id")
      );
      create table "tag" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "name" text not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "tag" add constraint "tag_organization_id_name_unique" unique ("organization_id", "name");
      create table "contact_tag" (
        "organization_id" uuid not null,
        "contact_id" uuid not null,
        "tag_id" uuid not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "contact_id", "tag_id")
      );
      create index "contact_tag_organization_id_tag_id_index" on "contact_tag" ("organization_id", "tag_id");
      create table "worker_heartbeat" (
        "worker_id" text not null,
        "seen_at" timestamptz(3) not null default now(),
        primary key ("worker_id")
      );
      alter table "balance" add constraint "balance_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "action_detail" add constraint "action_detail_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "contact_point" add constraint "contact_point_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "membership_plan" add constraint "membership_plan_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "membership" add constraint "membership_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "membership" add constraint "membership_organization_id_plan_id_foreign" foreign key ("organization_id", "plan_id") references "membership_plan" ("organization_id", "id") on update no action on delete no action;
      alter table "deletion" add constraint "deletion_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "custom_field_definition" add constraint "custom_field_definition_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "custom_field_value" add constraint "custom_field_value_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "custom_field_value" add constraint "custom_field_value_organization_id_definition_id_foreign" foreign key ("organization_id", "definition_id") references "custom_field_definition" ("organization_id", "id") on update no action on delete no action;
      alter table "payment" add constraint "payment_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "payment" add constraint "payment_organization_id_membership_id_foreign" foreign key ("organization_id", "membership_id") references "membership" ("organization_id", "id") on update no action on delete no action;
      alter table "ledger_entry" add constraint "ledger_entry_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "ledger_entry" add constraint "ledger_entry_organization_id_payment_id_foreign" foreign key ("organization_id", "payment_id") references "payment" ("organization_id", "id") on update no action on delete no action;
      alter table "recovery_request" add constraint "recovery_request_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "invoice" add constraint "invoice_organization_id_recovery_request_id_foreign" foreign key ("organization_id", "recovery_request_id") references "recovery_request" ("organization_id", "id") on update no action on delete no action;
      alter table "role" add constraint "role_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "snapshot" add constraint "snapshot_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "staff_member" add constraint "staff_member_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "note" add constraint "note_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "note" add constraint "note_organization_id_author_id_foreign" foreign key ("organization_id", "author_id") references "staff_member" ("organization_id", "id") on update no action on delete no action;
      alter table "activity" add constraint "activity_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "activity" add constraint "activity_organization_id_author_id_foreign" foreign key ("organization_id", "author_id") references "staff_member" ("organization_id", "id") on update no action on delete no action;
      alter table "staff_member_role" add constraint "staff_member_role_organization_id_staff_member_id_foreign" foreign key ("organization_id", "staff_member_id") references "staff_member" ("organization_id", "id") on update no action on delete no action;
      alter table "staff_member_role" add constraint "staff_member_role_organization_id_role_id_foreign" foreign key ("organization_id", "role_id") references "role" ("organization_id", "id") on update no action on delete no action;
      alter table "tag" add constraint "tag_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "contact_tag" add constraint "contact_tag_organization_id_contact_id_foreign" foreign key ("organization_id", "contact_id") references "contact" ("organization_id", "id") on update no action on delete no action;
      alter table "contact_tag" add constraint "contact_tag_organization_id_tag_id_foreign" foreign key ("organization_id", "tag_id") references "tag" ("organization_id", "id") on update no action on delete no action;
      alter table "action_log" enable row level security;
      alter table "action_log" force row level security;
      create policy "one_organization" on "action_log" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "contact" enable row level security;
      alter table "contact" force row level security;
      create policy "one_organization" on "contact" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "balance" enable row level security;
      alter table "balance" force row level security;
      create policy "one_organization" on "balance" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "action_detail" enable row level security;
      alter table "action_detail" force row level security;
      create policy "one_organization" on "action_detail" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "contact_point" enable row level security;
      alter table "contact_point" force row level security;
      create policy "one_organization" on "contact_point" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "deletion_contact" enable row level security;
      alter table "deletion_contact" force row level security;
      create policy "one_organization" on "deletion_contact" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "job" enable row level security;
      alter table "job" force row level security;
      create policy "one_organization" on "job" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "organization" enable row level security;
      alter table "organization" force row level security;
      create policy "one_organization" on "organization" using (id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      create policy "platform" on "organization" for select using (current_setting('app.platform', true) = 'on');
      alter table "membership_plan" enable row level security;
      alter table "membership_plan" force row level security;
      create policy "one_organization" on "membership_plan" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "membership" enable row level security;
      alter table "membership" force row level security;
      create policy "one_organization" on "membership" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "deletion" enable row level security;
      alter table "deletion" force row level security;
      create policy "one_organization" on "deletion" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "custom_field_definition" enable row level security;
      alter table "custom_field_definition" force row level security;
      create policy "one_organization" on "custom_field_definition" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "custom_field_value" enable row level security;
      alter table "custom_field_value" force row level security;
      create policy "one_organization" on "custom_field_value" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "payment" enable row level security;
      alter table "payment" force row level security;
      create policy "one_organization" on "payment" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "ledger_entry" enable row level security;
      alter table "ledger_entry" force row level security;
      create policy "one_organization" on "ledger_entry" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "recovery_chunk" enable row level security;
      alter table "recovery_chunk" force row level security;
      create policy "one_organization" on "recovery_chunk" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "recovery_clash" enable row level security;
      alter table "recovery_clash" force row level security;
      create policy "one_organization" on "recovery_clash" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "recovery_request" enable row level security;
      alter table "recovery_request" force row level security;
      create policy "one_organization" on "recovery_request" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "invoice" enable row level security;
      alter table "invoice" force row level security;
      create policy "one_organization" on "invoice" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "role" enable row level security;
      alter table "role" force row level security;
      create policy "one_organization" on "role" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "snapshot" enable row level security;
      alter table "snapshot" force row level security;
      create policy "one_organization" on "snapshot" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "snapshot_chunk" enable row level security;
      alter table "snapshot_chunk" force row level security;
      create policy "one_organization" on "snapshot_chunk" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "snapshot_chunk_body" enable row level security;
      alter table "snapshot_chunk_body" force row level security;
      create policy "one_organization" on "snapshot_chunk_body" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "staff_member" enable row level security;
      alter table "staff_member" force row level security;
      create policy "one_organization" on "staff_member" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "note" enable row level security;
      alter table "note" force row level security;
      create policy "one_organization" on "note" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "activity" enable row level security;
      alter table "activity" force row level security;
      create policy "one_organization" on "activity" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "staff_member_role" enable row level security;
      alter table "staff_member_role" force row level security;
      create policy "one_organization" on "staff_member_role" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "tag" enable row level security;
      alter table "tag" force row level security;
      create policy "one_organization" on "tag" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "contact_tag" enable row level security;
      alter table "contact_tag" force row level security;
      create policy "one_organization" on "contact_tag" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
    `);

    // Chunk bodies are encrypted: trying to compress them again is wasted work.
    this.addSql(`alter table "snapshot_chunk_body" alter column "body" set storage external;`);
  }

  override down(): void {
    throw new Error('The foundation is not taken back: drop the database instead.');
  }
}
