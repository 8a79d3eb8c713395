// The built-in roles that may do everything hold the permissions that came with managing roles and staff.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125140000 extends Migration {
  override name = 'Migration20261125140000';

  override up(): void {
    this.addSql(`
      alter table "role" no force row level security;
      update "role" set "permissions" = "permissions" || '{staff:read,staff:manage,roles:manage}'::text[]
        where "built_in" and "name" in ('Super admin', 'Admin') and not "permissions" @> '{roles:manage}'::text[];
      alter table "role" force row level security;
    `);
  }
}
