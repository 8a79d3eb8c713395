// The only reader of process.env: everything that can be set from outside, checked before anything starts.
import { z } from 'zod';
import { isNetwork } from './addresses.ts';
import { StartupError } from './errors.ts';

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const schema = z.object({
  /** PostgreSQL 15 to 18, as the role that owns the tables. Without it the embedded server is used. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** The same database as the role that the server works with; made from DATABASE_URL when that role may make roles. */
  DATABASE_APP_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** 32 bytes in base64. Wraps snapshot keys and signs tokens. Required with DATABASE_URL. */
  MASTER_KEY: z
    .base64()
    .refine((value) => Buffer.from(value, 'base64').length === 32, 'must be 32 bytes in base64')
    .optional(),
  /** Where the embedded server keeps its data. */
  DATA_DIRECTORY: z.string().default('.data'),
  HOST: z.string().default('127.0.0.1'),
  PORT: count(0, 65535).default(4000),
  POOL_SIZE: count(4, 200).default(20),
  /** How long an access token is good; a refresh token gives the next one. */
  ACCESS_TOKEN_MINUTES: count(1, 1440).default(15),
  /** How long a sign-in lasts, however often it is refreshed. */
  SESSION_DAYS: count(1, 365).default(30),
  /** How long a proof of identity is fresh enough for what asks for one. */
  PROOF_MINUTES: count(1, 1440).default(15),
  /** Deletions of more contacts than this ask for a fresh proof of identity. */
  PROOF_DELETE_CONTACTS: count(0, 1_000_000_000).default(1000),
  INVITATION_DAYS: count(1, 90).default(7),
  PASSWORD_RESET_MINUTES: count(1, 1440).default(30),
  /** The mail server, as in smtps://user:password@mail.example.com:465. Without it emails are put into MAIL_DIRECTORY. */
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  /** The sender of emails. */
  MAIL_FROM: z.string().default('Reinstate <no-reply@localhost>'),
  /** The local mailbox: a folder of .eml files, for trying things out. `mail` in DATA_DIRECTORY when it isn't set. */
  MAIL_DIRECTORY: z.string().optional(),
  /** The admin frontend, which links in emails lead to: they add /invitation and /password-reset to it. */
  FRONTEND_URL: z.url({ protocol: /^https?$/ }).default('http://localhost:3000'),
  /** How long an identity provider may take for one answer. */
  IDENTITY_TIMEOUT_SECONDS: count(1, 60).default(10),
  /** Whether identity providers may be at private addresses and over plain HTTP: for tests and a machine of one's own. */
  IDENTITY_ALLOW_PRIVATE: flag.default(false),
  CONFIRMATION_MINUTES: count(1, 60).default(10),
  /** How long the link of a download can be used. */
  DOWNLOAD_MINUTES: count(1, 1440).default(10),
  /** How long the file of an export is kept. */
  EXPORT_HOURS: count(1, 168).default(24),
  /** Deletions up to this many contacts are done within the request; larger ones become a job. */
  DELETE_AT_ONCE: count(1, 1000).default(200),
  /** Contacts in a chunk of a snapshot, which is what one transaction removes or restores. */
  CHUNK_CONTACTS: count(1, 1000).default(1000),
  /** Where new snapshots are kept. Older ones are read from wherever they lie, as long as the settings of that place stay. */
  SNAPSHOT_STORE: z.enum(['postgres', 'directory', 's3']).default('postgres'),
  /** How long a store outside of the database may take for one body. */
  STORE_TIMEOUT_SECONDS: count(1, 300).default(10),
  SNAPSHOT_DIRECTORY: z.string().optional(),
  /** Where new files are kept: those that are uploaded, and those that are made to be downloaded. Older ones are read from wherever they lie. */
  FILE_STORE: z.enum(['directory', 's3']).default('directory'),
  /** `files` in DATA_DIRECTORY when it isn't set. Every process must have the same. */
  FILES_DIRECTORY: z.string().optional(),
  /** The largest file that can be uploaded. */
  UPLOAD_MAX_MEGABYTES: count(1, 2000).default(256),
  /** What an organization may have of uploads, those on their way included: each counts as long as it was said to be, or as the largest. */
  UPLOAD_MAX_TOTAL_MEGABYTES: count(1, 100_000_000).default(4096),
  /** How long an upload can be sent, resumed and used. */
  UPLOAD_HOURS: count(1, 720).default(24),
  /** ClamAV’s daemon, which looks at every file that is uploaded: tcp://host:3310, tcp://[address]:3310 or unix:/path. Without it nobody does. */
  CLAMD_URL: z
    .string()
    .regex(/^(tcp:\/\/(\[[0-9a-f:]+\]|[^/:[\]]+):\d{1,5}|unix:\/.+)$/i, 'must look like tcp://clamav.example:3310 or unix:/run/clamav/clamd.ctl')
    .optional(),
  /** How long it may say nothing. */
  CLAMD_TIMEOUT_SECONDS: count(1, 600).default(60),
  S3_BUCKET: z.string().optional(),
  /** Of a server that speaks S3's protocol; without it Amazon's own. */
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  /** What the keys of all objects begin with. */
  S3_PREFIX: z.string().default(''),
  /** Larger bodies are sent to S3 in parts of this size. */
  S3_PART_MEGABYTES: count(5, 512).default(16),
  /** Where checkpoints of the action log are kept: a directory that exists, best on another machine's disk. Without it they go to the S3 bucket, where one is set. */
  CHECKPOINT_DIRECTORY: z.string().optional(),
  /** How often at most. */
  CHECKPOINT_MINUTES: count(0, 1440).default(10),
  /** Entries of the action log that are older are removed, as far as a checkpoint reaches; 0 keeps all of them for ever. */
  LOG_RETENTION_DAYS: count(0, 36_500).default(0),
  /** A worker that was not heard of for so long is dead, and its jobs are given to others. */
  WORKER_SILENCE_SECONDS: count(1, 3600).default(8),
  /** The hour, in UTC, from which on restore drills run; each organization has a moment of its own in the four hours from then. */
  DRILL_HOUR: count(0, 23).default(5),
  /** How many contacts of an organization's newest snapshot a drill brings back. */
  DRILL_CONTACTS: count(1, 100_000).default(200),
  RECOVERY_WINDOW_DAYS: count(1, 365).default(30),
  /** Whether organizations on a plan that has it get a snapshot every night. */
  NIGHTLY_SNAPSHOTS: flag.default(true),
  /** The hour, in UTC, in which the night begins; each organization has a minute of its own in the four hours from then. */
  SNAPSHOT_HOUR: count(0, 23).default(1),
  RECOVERY_FEE_MINOR: count(0, 100_000_000).default(50_000),
  RECOVERY_FEE_CURRENCY: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('USD'),
  /** Whether an operator must approve a paid recovery before it is queued. */
  RECOVERY_APPROVAL: flag.default(false),
  /** How long a webhook endpoint may take to answer. */
  WEBHOOK_TIMEOUT_SECONDS: count(1, 60).default(10),
  /** Whether webhooks may go to private addresses and over plain HTTP: for tests and a machine of one's own. */
  WEBHOOK_ALLOW_PRIVATE: flag.default(false),
  /** What the operations of one actor may cost in a minute; at least what a single one may. */
  COST_PER_MINUTE: count(20_000, 1_000_000_000).default(1_000_000),
  /** How many wrong passwords may be tried at an account, and from an address at all accounts together, within ATTEMPT_MINUTES. */
  ATTEMPTS_PER_ACCOUNT: count(1, 1_000_000).default(10),
  ATTEMPTS_PER_ADDRESS: count(1, 1_000_000).default(100),
  ATTEMPT_MINUTES: count(1, 1440).default(15),
  /** How long an operation may be at the database. Jobs and downloads may take longer. */
  OPERATION_TIMEOUT_SECONDS: count(1, 3600).default(120),
  /** How long a client may take to send a request. */
  REQUEST_TIMEOUT_SECONDS: count(1, 3600).default(30),
  /** The networks of proxies whose word for where a request came from, and how, is taken. */
  TRUSTED_PROXIES: z
    .string()
    .default('')
    .transform((list) => list.split(/[\s,]+/).filter(Boolean))
    .refine((list) => list.every(isNetwork), 'must be addresses or networks as in 10.0.0.0/8, with commas between them'),
  /** Whether the schema may be queried and GraphiQL is served. */
  INTROSPECTION: flag.optional(),
  NODE_ENV: z.string().default('development'),
});

export type Config = Readonly<z.output<typeof schema>>;

/**
 * Reads and checks the settings.
 * @throws StartupError one line that names each setting that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const known = Object.fromEntries(Object.keys(schema.shape).flatMap((key) => (env[key] ? [[key, env[key]]] : [])));
  const read = schema.safeParse(known);
  if (!read.success) {
    const faults = read.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new StartupError(`These settings are wrong: ${faults.join('; ')}.`);
  }
  if (read.data.DATABASE_URL && !read.data.MASTER_KEY)
    throw new StartupError('MASTER_KEY is required with DATABASE_URL: 32 random bytes in base64, for example from `openssl rand -base64 32`.');
  checkStores(read.data);
  checkUploads(read.data);
  checkRetention(read.data);
  return read.data;
}

/** Whether clients may learn the schema from the server: by introspection, or from what its errors suggest. */
export const isSchemaOpen = ({ INTROSPECTION, NODE_ENV }: Config): boolean => INTROSPECTION ?? NODE_ENV !== 'production';

/** @throws StartupError when a store is chosen, or begun to be set, and something is missing */
function checkStores(config: Config): void {
  if (config.SNAPSHOT_STORE === 'directory' && !config.SNAPSHOT_DIRECTORY)
    throw new StartupError('SNAPSHOT_STORE is directory, so SNAPSHOT_DIRECTORY is required: a directory that exists and can be written.');
  const keys = ['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;
  const missing = keys.filter((key) => !config[key]);
  if (missing.length > 0 && (config.SNAPSHOT_STORE === 's3' || config.FILE_STORE === 's3' || missing.length < keys.length))
    throw new StartupError(
      `${config.SNAPSHOT_STORE === 's3' || config.FILE_STORE !== 's3' ? 'Snapshots' : 'Files'} can’t be kept in S3 without ${missing.join(' and ')}. Set what is missing, or nothing that begins with S3_.`,
    );
}

/** @throws StartupError when there is no room for a single file */
function checkUploads({ UPLOAD_MAX_MEGABYTES: most, UPLOAD_MAX_TOTAL_MEGABYTES: total }: Config): void {
  if (total < most)
    throw new StartupError(
      `UPLOAD_MAX_TOTAL_MEGABYTES is ${total}, and a file may have ${most} megabytes (UPLOAD_MAX_MEGABYTES): set as much at least. Nothing was started.`,
    );
}

/** Days that entries are kept beyond the time in which what they tell of can be recovered. */
const retentionMargin = 7;

/** @throws StartupError when entries would go that are still needed, or that nothing outside of the database vouches for */
function checkRetention({ LOG_RETENTION_DAYS: days, RECOVERY_WINDOW_DAYS: window, CHECKPOINT_DIRECTORY, S3_BUCKET, DATABASE_URL }: Config): void {
  if (days === 0) return;
  if (days < window + retentionMargin)
    throw new StartupError(
      `LOG_RETENTION_DAYS is ${days}, and deletions can be recovered for ${window} days: entries must be kept for at least ${window + retentionMargin} days, or 0 for ever. Nothing was started.`,
    );
  if (DATABASE_URL && !CHECKPOINT_DIRECTORY && !S3_BUCKET)
    throw new StartupError(
      'LOG_RETENTION_DAYS is set, and the action log is pruned only up to a checkpoint outside of the database. Set CHECKPOINT_DIRECTORY or S3_BUCKET, or leave it out. Nothing was started.',
    );
}
