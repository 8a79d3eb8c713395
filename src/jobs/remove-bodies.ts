// Removes bodies from a store outside of the database, once what removed them there has committed. The runner tries again
// for days; what it gives up is left to the sweep.
import type { Task } from 'graphile-worker';
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { outsideStoreKinds } from '../entities/snapshot.ts';
import { removeBodiesFrom } from '../snapshots/stores/sweep.ts';

const payload = z.object({ organizationId: z.uuid(), store: z.enum(outsideStoreKinds), names: z.array(z.string()) });

export const removeBodies =
  (app: App): Task =>
  async (raw) => {
    const { organizationId, store, names } = payload.parse(raw);
    await removeBodiesFrom(app, organizationId, store, names);
  };
