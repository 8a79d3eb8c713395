// Bodies of chunks may lie outside of the database: where each one does is kept with it. All that are there lie inside.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124144055 extends Migration {
  override name = 'Migration20261124144055';

  override up(): void {
    this.addSql(`
      alter table "snapshot_chunk_body" add "store" text not null default 'POSTGRES', add "location" text null;
      alter table "snapshot_chunk_body" alter column "store" drop default;
      alter table "snapshot_chunk_body" alter column "body" drop not null;
      alter table "snapshot_chunk_body" add constraint "snapshot_chunk_body_lies_in_one_place" check ((store = 'POSTGRES') = (body is not null) and (body is null) = (location is not null));
      alter table "snapshot_chunk_body" add constraint "snapshot_chunk_body_store_check" check ("store" in ('POSTGRES', 'DIRECTORY', 'S3'));
    `);
  }
}
