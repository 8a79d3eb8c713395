// Removes bodies from a store outside of the database, once what removed them there has committed. The runner tries again
// for days; what it gives up is left to the sweep.
import type { Task } from 'graphile-worker';
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { outsideStoreKinds } from '../entities/snapshot.ts';
import { contents } from '../snapshots/stores/outside.ts';
import { removeBodies } from '../snapshots/stores/sweep.ts';

/** What was queued by an earlier release is of snapshots. */
const payload = z.object({ organizationId: z.uuid(), of: z.enum(contents).default('SNAPSHOTS'), store: z.enum(outsideStoreKinds), names: z.array(z.string()) });

export const removeBodiesOf =
  (app: App): Task =>
  async (raw) => {
    const { organizationId, of, store, names } = payload.parse(raw);
    const stores = of === 'FILES' ? app.files : app.store;
    await removeBodies(app, organizationId, stores, stores.at(store), names);
  };
