// Snapshots of four kinds, whose key can be destroyed; chunks that name their contacts.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124142247 extends Migration {
  override name = 'Migration20261124142247';

  override up(): void {
    this.addSql(`
      alter table "snapshot" drop constraint "snapshot_kind_check";
      alter table "snapshot" add "expires_at" timestamptz(3) null, add "key_destroyed_at" timestamptz(3) null;
      alter table "snapshot" alter column "wrapped_key" drop not null;
      alter table "snapshot" add constraint "snapshot_has_its_key_until_destroyed" check ((wrapped_key is null) = (key_destroyed_at is not null));
      alter table "snapshot" add constraint "snapshot_kind_check" check ("kind" in ('DELETION', 'SCHEDULED', 'MANUAL', 'SAFETY'));

      alter table "snapshot_chunk" add "contact_ids" uuid[] not null default '{}';
      alter table "snapshot_chunk" alter column "contact_ids" drop default;
      -- The owner fills it in for every organization, which row-level security keeps it from while it is forced.
      alter table "snapshot_chunk" no force row level security;
      alter table "deletion_contact" no force row level security;
      alter table "deletion" no force row level security;
      update "snapshot_chunk" k set "contact_ids" = array(
        select c.contact_id from "deletion" d join "deletion_contact" c on c.organization_id = d.organization_id and c.deletion_id = d.id
        where d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id and c.chunk_number = k.number order by c.contact_id);
      alter table "snapshot_chunk" force row level security;
      alter table "deletion_contact" force row level security;
      alter table "deletion" force row level security;
    `);
  }
}
