// Most entries of the action log are about no deletion, and none of those is looked for by one.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125170000 extends Migration {
  override name = 'Migration20261125170000';

  override up(): void {
    this.addSql(`
      drop index "action_log_organization_id_deletion_id_index";
      create index "action_log_organization_id_deletion_id_index" on "action_log" ("organization_id", "deletion_id") where (deletion_id is not null);
    `);
  }
}
