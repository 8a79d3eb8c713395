// Removes bodies from a store outside of the database, once what removed them there has committed. The runner tries again
// for days; what it gives up is left to the sweep.
import type { Task } from 'graphile-worker';
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { outsideStoreKinds } from '../entities/snapshot.ts';
import { removeBodies } from '../snapshots/stores/sweep.ts';

const payload = z.object({ organizationId: z.uuid(), store: z.enum(outsideStoreKinds), names: z.array(z.string()) });

export const removeBodiesOf =
  (app: App): Task =>
  async (raw) => {
    const { organizationId, store, names } = payload.parse(raw);
    await removeBodies(app, organizationId, app.store.at(store), names);
  };
