// The server's role can have the statistics of contacts taken anew, which only the owner of a table can. An import looks for
// each row among contacts that may have come a second ago; by statistics from before them PostgreSQL would go through all.
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125233000 extends Migration {
  override name = 'Migration20261125233000';

  override up(): void {
    this.addSql(`
      create function analyze_contacts(owned boolean) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
      begin
        analyze public.contact, public.contact_point;
        if owned then
          analyze public.note, public.membership, public.contact_tag, public.custom_field_value, public.ledger_entry, public.balance, public.action_detail;
        end if;
      end $body$;
      revoke execute on function analyze_contacts from public;
    `);
  }
}
