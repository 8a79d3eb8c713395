// The comparable form of each contact point, by which duplicates are found: version 2 of the graph.
import { Migration } from '@mikro-orm/migrations';
import { CompiledQuery } from 'kysely';
import { NIL } from 'uuid';
import { comparableForm, type ContactPointKind } from '../src/domain/contact-points.ts';

interface Point {
  organization_id: string;
  id: string;
  kind: ContactPointKind;
  value: string;
}

const batchSize = 10_000;

export class Migration20261124144126 extends Migration {
  override name = 'Migration20261124144126';

  override async up(): Promise<void> {
    // The owner fills it in for every organization, which row-level security keeps it from while it is forced.
    await this.execute('alter table "contact_point" add "normalized" text null; alter table "contact_point" no force row level security');
    let after: Point | undefined;
    do after = await this.#fillIn(after);
    while (after);
    await this.execute(`
      alter table "contact_point" force row level security;
      alter table "contact_point" alter column "normalized" set not null;
      create index "contact_point_organization_id_kind_normalized_index" on "contact_point" ("organization_id", "kind", "normalized")`);
  }

  /** Fills in the rows that come after the last one filled in. @returns the last one now; undefined when there were none */
  async #fillIn(after: Point | undefined): Promise<Point | undefined> {
    const points = await this.#run<Point>(
      `select organization_id, id, kind, value from contact_point
       where (organization_id, id) > ($1, $2) order by organization_id, id limit ${batchSize}`,
      [after?.organization_id ?? NIL, after?.id ?? NIL],
    );
    await this.#run(
      `update contact_point p set normalized = f.form from unnest($1::uuid[], $2::uuid[], $3::text[]) f (organization_id, id, form)
       where p.organization_id = f.organization_id and p.id = f.id`,
      [points.map((point) => point.organization_id), points.map((point) => point.id), points.map(({ kind, value }) => comparableForm(kind, value))],
    );
    return points.at(-1);
  }

  async #run<Row>(text: string, values: unknown[]): Promise<Row[]> {
    return (await this.getEntityManager().getKysely().executeQuery<Row>(CompiledQuery.raw(text, values))).rows;
  }
}
