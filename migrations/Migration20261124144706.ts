// Recoveries of any selection, with a policy for conflicts and an undo.
import { Migration } from '@mikro-orm/migrations';

const filled = ['deletion', 'deletion_contact', 'snapshot_chunk', 'recovery_request', 'recovery_chunk', 'recovery_conflict'];

export class Migration20261124144706 extends Migration {
  override name = 'Migration20261124144706';

  override up(): void {
    this.addSql(`
      alter table "recovery_clash" rename to "recovery_conflict";
      alter table "recovery_conflict" rename constraint "recovery_clash_pkey" to "recovery_conflict_pkey";
      alter table "recovery_conflict" rename constraint "recovery_clash_kind_check" to "recovery_conflict_kind_check";
      alter table "recovery_conflict" add "policy" text not null default 'SKIP';
      alter table "recovery_conflict" alter column "policy" drop default;
      alter table "recovery_conflict" add constraint "recovery_conflict_policy_check" check ("policy" in ('SKIP', 'MERGE', 'RESTORE_WITHOUT_EMAIL', 'REPLACE'));
      create table "recovery_undo_exception" ("organization_id" uuid not null, "recovery_request_id" uuid not null, "contact_id" uuid not null, "outcome" text not null, "reason" text not null, primary key ("organization_id", "recovery_request_id", "contact_id"));
      alter table "recovery_undo_exception" add constraint "recovery_undo_exception_outcome_check" check ("outcome" in ('KEPT', 'COULD_NOT'));
      alter table "recovery_undo_exception" enable row level security;
      alter table "recovery_undo_exception" force row level security;
      create policy "one_organization" on "recovery_undo_exception" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
      alter table "job" drop constraint "job_kind_check";
      alter table "job" drop constraint "job_phase_check";
      alter table "job" add constraint "job_kind_check" check ("kind" in ('DELETE_CONTACTS', 'RECOVER_CONTACTS', 'UNDO_RECOVERY', 'ERASE_CONTACTS', 'RESTORE_DRILL', 'TAKE_SNAPSHOT'));
      alter table "job" add constraint "job_phase_check" check ("phase" in ('REMOVING', 'CHECKING', 'SAFEGUARDING', 'MIGRATING', 'RECONCILING', 'PROVING', 'REVERTING', 'ERASING', 'CAPTURING'));
      create index "deletion_organization_id_snapshot_id_index" on "deletion" ("organization_id", "snapshot_id");
    `);
    // The owner fills in what is new for every organization, which row-level security keeps it from while it is forced.
    for (const table of filled) this.addSql(`alter table "${table}" no force row level security`);
    this.addSql(`
      alter table "recovery_request" add "selected" jsonb null, add "order_digest" bytea null, add "recoverable_until" timestamptz(3) null,
        add "conflict_policy" text null, add "conflict_overrides" jsonb not null default '{}', add "safety_snapshot_id" uuid null,
        add "undo_job_id" uuid null, add "undo_deletion_id" uuid null, add "undone_by_name" text null, add "undone_at" timestamptz(3) null;
      update "recovery_request" r set "selected" = jsonb_build_object('deletionId', r.deletion_id),
        "order_digest" = sha256(convert_to('["' || r.deletion_id || '",null,null,null,null,null,[]]', 'UTF8')),
        "recoverable_until" = coalesce((select d.recoverable_until from "deletion" d where d.organization_id = r.organization_id and d.id = r.deletion_id), now());
      alter table "recovery_request" alter column "selected" set not null, alter column "order_digest" set not null,
        alter column "recoverable_until" set not null, alter column "conflict_overrides" drop default;
      alter table "recovery_chunk" add "snapshot_id" uuid null, add "chunk_number" int null, add "contact_ids" uuid[] null, add "contact_count" int null,
        add "replaced_count" int not null default 0, add "merged_count" int not null default 0, add "skipped_count" int not null default 0,
        add "erased_count" int not null default 0, add "conflict_count" int not null default 0, add "reverted_count" int not null default 0,
        add "undone_at" timestamptz(3) null;
      alter table "recovery_chunk" alter column "restored_count" set default 0;
      alter table "recovery_chunk" alter column "restored_at" drop default, alter column "restored_at" drop not null;
      update "recovery_chunk" k set "snapshot_id" = d.snapshot_id, "chunk_number" = k.number, "skipped_count" = k.clash_count, "conflict_count" = k.clash_count,
        "contact_count" = k.restored_count + k.clash_count
        from "recovery_request" r join "deletion" d on d.organization_id = r.organization_id and d.id = r.deletion_id
        where r.organization_id = k.organization_id and r.id = k.recovery_request_id;
      -- A request that has not ended has its whole way before it, chunk by chunk.
      insert into "recovery_chunk" (organization_id, recovery_request_id, number, snapshot_id, chunk_number, contact_count, clash_count)
        select r.organization_id, r.id, c.number, c.snapshot_id, c.number, c.contact_count, 0
        from "recovery_request" r join "deletion" d on d.organization_id = r.organization_id and d.id = r.deletion_id
        join "snapshot_chunk" c on c.organization_id = d.organization_id and c.snapshot_id = d.snapshot_id
        where r.state in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING') on conflict do nothing;
      alter table "recovery_chunk" alter column "snapshot_id" set not null, alter column "chunk_number" set not null, alter column "contact_count" set not null,
        drop column "clash_count";
      create index "recovery_chunk_organization_id_snapshot_id_chunk_number_index" on "recovery_chunk" ("organization_id", "snapshot_id", "chunk_number");
      drop index "recovery_request_one_per_deletion";
      alter table "recovery_request" drop constraint "recovery_request_state_check";
      alter table "recovery_request" drop column "deletion_id", drop column "restored_count", drop column "clash_count";
      alter table "recovery_request" add constraint "recovery_request_conflict_policy_check" check ("conflict_policy" in ('SKIP', 'MERGE', 'RESTORE_WITHOUT_EMAIL', 'REPLACE'));
      alter table "recovery_request" add constraint "recovery_request_state_check" check ("state" in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED', 'UNDONE'));
    `);
    for (const table of filled) this.addSql(`alter table "${table}" force row level security`);
  }
}
