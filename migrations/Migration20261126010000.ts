// What a row says that is still to be done has a table of its own, whose columns are those of contacts: applying takes a draft
// away, and need not write to the row.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126010000 extends Migration {
  override name = 'Migration20261126010000';

  override up(): void {
    this.addSql(`
      create table "import_draft" ("organization_id" uuid not null, "import_id" uuid not null, "row_number" int not null, "contact_id" uuid not null, "member_number" text null, "first_name" text null, "last_name" text null, "email" text null, "email_normalized" text null, "company" text null, "job_title" text null, "street" text null, "city" text null, "postal_code" text null, "country" text null, "birth_date" date null, "sort_name" text not null, "search_text" text not null, "owned" jsonb null, primary key ("organization_id", "import_id", "row_number"));

      alter table "import_row" no force row level security;
      insert into "import_draft" (organization_id, import_id, row_number, contact_id, member_number, first_name, last_name, email, email_normalized, company,
          job_title, street, city, postal_code, country, birth_date, sort_name, search_text, owned)
        select organization_id, import_id, row_number, draft[1]::uuid, draft[2], draft[3], draft[4], draft[5], draft[6], draft[7],
          draft[8], draft[9], draft[10], draft[11], draft[12], draft[13]::date, draft[14], draft[15], owned
        from "import_row" where draft is not null;
      update "import_row" set contact_id = case kind when 'NEW' then draft[1]::uuid else contact_id end,
        owned_count = (select coalesce(sum(jsonb_array_length(list.value)), 0) from jsonb_each(coalesce(owned, '{}')) list)
        where draft is not null;
      alter table "import_row" force row level security;
      alter table "import_row" drop column "draft", drop column "owned";
      alter table "import_draft" enable row level security;
      alter table "import_draft" force row level security;
      create policy "one_organization" on "import_draft" using (organization_id = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif"));
    `);
  }
}
