// That a key was refused is logged once a minute, which its row remembers.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125211000 extends Migration {
  override name = 'Migration20261125211000';

  override up(): void {
    this.addSql(`alter table "api_key" add "refused_at" jsonb not null default '{}'`);
  }
}
