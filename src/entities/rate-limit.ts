// What may be done only so often, counted for all processes, in the form that `rate-limiter-flexible` reads and writes.
import { defineEntity, p } from '@mikro-orm/postgresql';

export const RateLimit = defineEntity({
  name: 'RateLimit',
  tableName: 'rate_limit',
  properties: { key: p.text().primary(), points: p.integer().default(0), expire: p.bigint().nullable() },
});
