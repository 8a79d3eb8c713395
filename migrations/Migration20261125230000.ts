// Files are kept, encrypted and in pieces, and come in as uploads.
import { Migration } from '@mikro-orm/migrations';

const own = `organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif")`;

const ofOneOrganization = (table: string) => `
      alter table "${table}" enable row level security;
      alter table "${table}" force row level security;
      create policy "one_organization" on "${table}" using (${own});`;

export class Migration20261125230000 extends Migration {
  override name = 'Migration20261125230000';

  override up(): void {
    this.addSql(`
      create table "stored_file" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "master_key_id" text not null,
        "wrapped_key" bytea not null,
        "byte_length" bigint not null default '0',
        "piece_count" int not null default 0,
        "sha256" bytea null,
        "created_at" timestamptz(3) not null default now(),
        "expires_at" timestamptz(3) not null,
        primary key ("organization_id", "id")
      );
      create index "stored_file_organization_id_expires_at_index" on "stored_file" ("organization_id", "expires_at");
      create table "file_piece" (
        "organization_id" uuid not null,
        "file_id" uuid not null,
        "number" int not null,
        "byte_length" int not null,
        "store" text not null,
        "location" text not null,
        primary key ("organization_id", "file_id", "number")
      );
      create index "file_piece_organization_id_location_index" on "file_piece" ("organization_id", "location");
      alter table "file_piece" add constraint "file_piece_store_check" check ("store" in ('DIRECTORY', 'S3'));
      create table "upload" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "file_name" text not null,
        "byte_length" int null,
        "state" text not null,
        "file_id" uuid null,
        "kind" text null,
        "failure_code" text null,
        "failure_message" text null,
        "created_by_id" uuid not null,
        "created_by_name" text not null,
        "created_at" timestamptz(3) not null default now(),
        "expires_at" timestamptz(3) not null,
        primary key ("organization_id", "id")
      );
      create index "upload_organization_id_expires_at_index" on "upload" ("organization_id", "expires_at");
      alter table "upload" add constraint "upload_state_check" check ("state" in ('WAITING', 'COMPLETE', 'REFUSED', 'EXPIRED'));
      alter table "upload" add constraint "upload_kind_check" check ("kind" in ('ZIP', 'VCARD', 'TEXT'));
      ${['stored_file', 'file_piece', 'upload'].map(ofOneOrganization).join('')}
      update "role" set "permissions" = "permissions" || '{contacts:import}'::text[]
        where "built_in" and "name" in ('Super admin', 'Admin', 'Staff') and not "permissions" @> '{contacts:import}'::text[];
    `);
  }
}
