// Identity: sessions with refresh tokens, credentials beside accounts, second factors, invitations, identity providers.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125200000 extends Migration {
  override name = 'Migration20261125200000';

  override up(): void {
    this.addSql(`
      alter table "account" alter column "platform_permissions" set default '{}', add column "email_verified" boolean not null default true, add column "two_factor_enabled" boolean not null default false,
        add column "updated_at" timestamptz(3) not null default now();

      create table "credential" (
        "id" uuid not null,
        "account_id" uuid not null,
        "provider_id" text not null,
        "subject" text not null,
        "password" text null,
        "created_at" timestamptz(3) not null default now(),
        "updated_at" timestamptz(3) not null default now(),
        primary key ("id")
      );
      create index "credential_account_id_index" on "credential" ("account_id");
      alter table "credential" add constraint "credential_provider_id_subject_unique" unique ("provider_id", "subject");
      alter table "credential" add constraint "credential_account_id_foreign" foreign key ("account_id") references "account" ("id") on update no action on delete cascade;
      insert into "credential" ("id", "account_id", "provider_id", "subject", "password")
        select gen_random_uuid(), "id", 'credential', "id"::text, "password_hash" from "account";
      alter table "account" drop column "password_hash";

      create table "session" (
        "id" uuid not null,
        "account_id" uuid not null,
        "token" text not null,
        "ip_address" text null,
        "user_agent" text null,
        "created_at" timestamptz(3) not null default now(),
        "updated_at" timestamptz(3) not null default now(),
        "last_used_at" timestamptz(3) not null default now(),
        "proven_at" timestamptz(3) null default now(),
        "expires_at" timestamptz(3) not null,
        primary key ("id")
      );
      create index "session_account_id_index" on "session" ("account_id");
      alter table "session" add constraint "session_token_unique" unique ("token");
      alter table "session" add constraint "session_account_id_foreign" foreign key ("account_id") references "account" ("id") on update no action on delete cascade;

      create table "refresh_token" (
        "digest" bytea not null,
        "session_id" uuid not null,
        "created_at" timestamptz(3) not null default now(),
        "used_at" timestamptz(3) null,
        primary key ("digest")
      );
      create index "refresh_token_session_id_index" on "refresh_token" ("session_id");
      alter table "refresh_token" add constraint "refresh_token_session_id_foreign" foreign key ("session_id") references "session" ("id") on update no action on delete cascade;

      create table "verification" (
        "id" uuid not null,
        "identifier" text not null,
        "value" text not null,
        "created_at" timestamptz(3) not null default now(),
        "updated_at" timestamptz(3) not null default now(),
        "expires_at" timestamptz(3) not null,
        primary key ("id")
      );
      create index "verification_identifier_index" on "verification" ("identifier");

      create table "second_factor" (
        "id" uuid not null,
        "account_id" uuid not null,
        "secret" text not null,
        "backup_codes" text not null,
        "verified" boolean not null default true,
        "failed_verification_count" int not null default 0,
        "locked_until" timestamptz(3) null,
        primary key ("id")
      );
      alter table "second_factor" add constraint "second_factor_account_id_unique" unique ("account_id");
      alter table "second_factor" add constraint "second_factor_account_id_foreign" foreign key ("account_id") references "account" ("id") on update no action on delete cascade;

      create table "invitation" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "email" text not null,
        "name" text not null,
        "role_ids" uuid[] not null,
        "invited_by_id" uuid not null,
        "invited_by_name" text not null,
        "created_at" timestamptz(3) not null default now(),
        "expires_at" timestamptz(3) not null,
        "accepted_at" timestamptz(3) null,
        "revoked_at" timestamptz(3) null,
        primary key ("organization_id", "id")
      );
      alter table "invitation" add constraint "invitation_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "invitation" enable row level security;
      alter table "invitation" force row level security;
      create policy "one_organization" on "invitation" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      create table "identity_provider" (
        "organization_id" uuid not null,
        "id" uuid not null,
        "name" text not null,
        "issuer" text not null,
        "client_id" text not null,
        "redirect_url" text not null,
        "sealed_secret" bytea not null,
        "master_key_id" text not null,
        "created_at" timestamptz(3) not null default now(),
        primary key ("organization_id", "id")
      );
      alter table "identity_provider" add constraint "identity_provider_organization_id_foreign" foreign key ("organization_id") references "organization" ("id") on update no action on delete no action;
      alter table "identity_provider" enable row level security;
      alter table "identity_provider" force row level security;
      create policy "one_organization" on "identity_provider" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));

      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || '{identity:manage}'::text[]
        where "built_in" and "name" in ('Super admin', 'Admin') and not "permissions" @> '{identity:manage}'::text[];
      alter table "role" force row level security;
    `);
  }
}
