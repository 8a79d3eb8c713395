// Every table, in one list for the ORM.
import * as actionLog from './action-log.ts';
import * as apiKey from './api-key.ts';
import * as contact from './contact.ts';
import * as contactExport from './contact-export.ts';
import * as deletion from './deletion.ts';
import * as drill from './drill.ts';
import * as erasure from './erasure.ts';
import * as file from './file.ts';
import * as identity from './identity.ts';
import * as contactImport from './import.ts';
import * as job from './job.ts';
import * as organizationSnapshot from './organization-snapshot.ts';
import * as organization from './organization.ts';
import * as rateLimit from './rate-limit.ts';
import * as recovery from './recovery.ts';
import * as snapshot from './snapshot.ts';
import * as staff from './staff.ts';
import * as upload from './upload.ts';
import * as webhook from './webhook.ts';
import { EntitySchema } from '@mikro-orm/postgresql';

export const entities = [
  organization,
  staff,
  identity,
  apiKey,
  contact,
  contactExport,
  actionLog,
  deletion,
  snapshot,
  organizationSnapshot,
  drill,
  recovery,
  erasure,
  contactImport,
  job,
  file,
  upload,
  rateLimit,
  webhook,
].flatMap((file) => Object.values(file).filter((value) => value instanceof EntitySchema));
