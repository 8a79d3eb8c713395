// Organizations, for operators.
import { Args, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { listOrganizations, type OrganizationRow } from '../domain/organizations.ts';
import { encodeId } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { type Organization, OrganizationConnection } from '../schema/organizations.ts';

export const shownOrganization = (row: OrganizationRow): Organization & { __typename: string } => ({
  __typename: 'Organization',
  ...row,
  id: encodeId('Organization', row.id),
});

@Resolver()
export class OrganizationResolver {
  @Query(() => OrganizationConnection, { description: 'All organizations in order of name. For operators.' })
  async organizations(@Ctx() context: Context, @Args(() => PageArgs) page: PageArgs): Promise<Page<Organization>> {
    const first = checkFirst(page.first);
    const rows = await listOrganizations(context.app, first, page.after ? decodeCursor(page.after, 'organizations', 2) : null);
    return pageOf(rows, first, ({ name, id }) => ['organizations', name, id], shownOrganization);
  }
}
