// For whoever runs Reinstate on a database of their own: makes organizations with their first Super admin, and operators.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { readConfig } from './config.ts';
import { accountEmail, hashPassword, isAccountEmail } from './domain/accounts.ts';
import { createOperator, createOrganization } from './domain/organizations.ts';
import { plans } from './entities/organization.ts';
import { StartupError } from './errors.ts';
import { deriveKeys } from './keys.ts';
import { migrate } from './migrate.ts';
import { platformPermissions } from './permissions/catalogue.ts';

const usage = `Usage, with DATABASE_URL and MASTER_KEY set as for the server:
  npm run admin -- organization --name "Riverside Club" --plan PREMIUM --currency USD --country US --email admin@riverside.example
  npm run admin -- operator --name "Olga Operator" --email olga@example.com
Each makes an account with a new password and prints it once.`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      email: { type: 'string' },
      plan: { type: 'string', default: 'FREE' },
      currency: { type: 'string', default: 'USD' },
      country: { type: 'string' },
    },
  });
  const { name, email, currency, country = null } = values;
  const plan = plans.find((one) => one === values.plan);
  const [noun] = positionals;
  if (!name || !email || !plan || !/^[A-Z]{3}$/.test(currency) || !/^[A-Z]{2}$/.test(country ?? 'US') || (noun !== 'organization' && noun !== 'operator'))
    throw new StartupError(usage);
  if (!isAccountEmail(accountEmail(email))) throw new StartupError(`${email} is not an address that someone can sign in with. Nothing was made. Correct it.`);
  const config = readConfig();
  if (!config.DATABASE_URL) throw new StartupError(`DATABASE_URL is not set.\n${usage}`);
  const { database: secret } = deriveKeys(Buffer.from(config.MASTER_KEY!, 'base64'));
  await migrate({ url: config.DATABASE_URL, appUrl: config.DATABASE_APP_URL, secret });
  const password = randomBytes(18).toString('base64url');
  const account = { email, passwordHash: await hashPassword(password) };
  const owner = new pg.Client({ connectionString: config.DATABASE_URL });
  await owner.connect();
  try {
    if (noun === 'operator') await createOperator(owner, { ...account, name }, platformPermissions);
    else
      await createOrganization(owner, {
        name,
        plan,
        currency,
        country,
        staff: [{ ...account, name: `Super admin of ${name}`, roles: ['Super admin'] }],
      });
  } finally {
    await owner.end();
  }
  console.log(`Made the ${noun} ${name}. Sign in as ${email} with the password ${password}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof StartupError ? error.message : error);
  process.exit(1);
});
