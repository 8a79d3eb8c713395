// Any record by its global id, as far as the viewer may see records of its kind.
import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { holds, type StaffPermission } from '../permissions/rules.ts';
import { Forbidden, NotFound } from '../errors.ts';
import { decodeAnyId, Node, type Kinds } from '../schema/common.ts';
import { loadAction } from './action-log.ts';
import { loadApiKey } from './api-keys.ts';
import { loadContact } from './contacts.ts';
import { loadDeletion } from './deletions.ts';
import { loadDrill } from './drills.ts';
import { loadErasure } from './erasures.ts';
import { loadExport } from './exports.ts';
import { loadJob } from './jobs.ts';
import { shownOrganization } from './organizations.ts';
import { loadProvider } from './identity-providers.ts';
import { loadTemplate } from './import-templates.ts';
import { loadImport } from './imports.ts';
import { loadInvitation } from './invitations.ts';
import { loadInvoice } from './invoices.ts';
import { loadRecovery } from './recoveries.ts';
import { loadSnapshot } from './snapshots.ts';
import { loadRole, loadStaff } from './staff.ts';
import { loadUpload } from './uploads.ts';
import { loadEndpoint } from './webhooks.ts';

/** How records of a kind are found. What `load` gives carries its `__typename`; null when there is no such record. */
export interface NodeSource {
  /** Without it: anyone who is signed in. */
  permission?: StaffPermission;
  load(context: Context, id: string): Promise<(Node & { __typename: string }) | null>;
}

const sources: Partial<Record<Kinds, NodeSource>> = {
  ActionLogEntry: { permission: 'log:read', load: loadAction },
  ApiKey: { permission: 'keys:manage', load: loadApiKey },
  Contact: { permission: 'contacts:read', load: loadContact },
  ContactExport: { permission: 'contacts:export', load: loadExport },
  Deletion: { permission: 'deletions:read', load: loadDeletion },
  Erasure: { permission: 'deletions:read', load: loadErasure },
  IdentityProvider: { permission: 'identity:manage', load: loadProvider },
  Import: { permission: 'contacts:import', load: loadImport },
  ImportTemplate: { permission: 'contacts:import', load: loadTemplate },
  Invitation: { permission: 'staff:read', load: loadInvitation },
  Invoice: { permission: 'recovery:read', load: loadInvoice },
  Job: { permission: 'jobs:read', load: loadJob },
  Organization: {
    async load(context, id) {
      const { organization } = await context.viewer();
      return organization?.id === id ? shownOrganization(organization) : null;
    },
  },
  RecoveryRequest: { permission: 'recovery:read', load: loadRecovery },
  RestoreDrill: { permission: 'snapshots:read', load: loadDrill },
  Role: { permission: 'staff:read', load: loadRole },
  Snapshot: { permission: 'snapshots:read', load: loadSnapshot },
  StaffMember: { permission: 'staff:read', load: loadStaff },
  Upload: { permission: 'contacts:import', load: loadUpload },
  WebhookEndpoint: { permission: 'integrations:manage', load: loadEndpoint },
};

@Resolver()
export class NodeResolver {
  @Query(() => Node, { description: 'Finds a record by its global id, under the permission that its kind takes.' })
  async node(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The global id.' }) globalId: string): Promise<Node> {
    const [kind, id] = decodeAnyId(globalId);
    const source = sources[kind];
    const viewer = await context.viewer();
    if (source?.permission && !holds(viewer, source.permission))
      throw new Forbidden(
        'FORBIDDEN',
        `Reading a ${kind} takes the permission ${source.permission}, which you do not hold. Nothing was changed. Ask an administrator of your organization for a role that holds it.`,
      );
    const record = await source?.load(context, id);
    if (!record) throw new NotFound('record');
    return record;
  }
}
