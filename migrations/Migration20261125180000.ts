// Counts of what may be done only so often. Not logged: they are written with every request, and a crash may forget them.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125180000 extends Migration {
  override name = 'Migration20261125180000';

  override up(): void {
    this.addSql(`
      create unlogged table "rate_limit" ("key" text not null, "points" int not null default 0, "expire" bigint null, primary key ("key")) with (fillfactor = 50);
    `);
  }
}
