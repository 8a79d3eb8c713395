// When a job's phase began and what was done then, which gives its speed; an index to the jobs that have not ended.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124145549 extends Migration {
  override name = 'Migration20261124145549';

  override up(): void {
    this.addSql(`
      alter table "job" add "phase_started_at" timestamptz(3) null, add "phase_done_before" int not null default 0;
      create index "job_organization_id_finished_at_index" on "job" ("organization_id", "finished_at");
    `);
  }
}
