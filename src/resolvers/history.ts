// A contact's history: its notes, activities and memberships, and adding to them.
import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, Info, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import {
  activitiesOf,
  type ActivityRow,
  addActivity,
  addMembership,
  addNote,
  type MembershipRow,
  membershipsOf,
  type NoteRow,
  notesOf,
} from '../domain/history.ts';
import { decodeId, decodeOptionalId, encodeId, payload } from '../schema/common.ts';
import { PageArgs, type Page } from '../schema/pages.ts';
import { Contact } from '../schema/contacts.ts';
import {
  type Activity,
  ActivityConnection,
  AddActivityInput,
  AddActivityPayload,
  AddMembershipInput,
  AddMembershipPayload,
  AddNoteInput,
  AddNotePayload,
  type Membership,
  MembershipConnection,
  type Note,
  NoteConnection,
} from '../schema/history.ts';
import { type ChildList, childPage } from './pages.ts';
import { shownPlan } from './references.ts';

const shownNote = (row: NoteRow): Note => ({ ...row, id: encodeId('Note', row.id) });
const shownActivity = (row: ActivityRow): Activity => ({ ...row, id: encodeId('Activity', row.id) });
const shownMembership = (row: MembershipRow): Membership => {
  const { id, planId, planName, planPriceMinor, planCurrency, planInterval, ...rest } = row;
  const plan = shownPlan({ id: planId, name: planName, priceMinor: planPriceMinor, currency: planCurrency, interval: planInterval });
  return { ...rest, id: encodeId('Membership', id), plan };
};

const noteList: ChildList<NoteRow, Note> = { name: 'notes', read: notesOf, show: shownNote };
const activityList: ChildList<ActivityRow, Activity> = { name: 'activities', read: activitiesOf, show: shownActivity };
const membershipList: ChildList<MembershipRow, Membership> = {
  name: 'memberships',
  read: membershipsOf,
  show: shownMembership,
  madeOf: { plan: ['planId', 'planName', 'planPriceMinor', 'planCurrency', 'planInterval'] },
};

@Resolver(() => Contact)
export class HistoryResolver {
  @FieldResolver(() => NoteConnection, { nullable: true, description: 'Its notes, the newest first; null when your roles hide them.' })
  notes(@Ctx() context: Context, @Root() contact: Contact, @Args(() => PageArgs) page: PageArgs, @Info() info: GraphQLResolveInfo): Promise<Page<Note>> {
    return childPage(context, contact, page, info, noteList);
  }

  @FieldResolver(() => ActivityConnection, {
    nullable: true,
    description: 'Its activities, the one that was recorded last first; null when your roles hide them.',
  })
  activities(
    @Ctx() context: Context,
    @Root() contact: Contact,
    @Args(() => PageArgs) page: PageArgs,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Page<Activity>> {
    return childPage(context, contact, page, info, activityList);
  }

  @FieldResolver(() => MembershipConnection, { description: 'Its memberships, the one that was recorded last first.' })
  memberships(
    @Ctx() context: Context,
    @Root() contact: Contact,
    @Args(() => PageArgs) page: PageArgs,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Page<Membership>> {
    return childPage(context, contact, page, info, membershipList);
  }

  @Mutation(() => AddNotePayload, { description: 'Adds a note in your name.' })
  addNote(@Ctx() context: Context, @Arg('input', () => AddNoteInput, { description: 'The note.' }) input: AddNoteInput): Promise<AddNotePayload> {
    const note = { ...input, contactId: decodeId('Contact', input.contactId) };
    return payload<AddNotePayload>(async () => ({ note: shownNote(await context.write((app, viewer) => addNote(app, viewer, note))) }), {
      note: null,
    });
  }

  @Mutation(() => AddActivityPayload, { description: 'Records something that happened with a contact, in your name.' })
  addActivity(
    @Ctx() context: Context,
    @Arg('input', () => AddActivityInput, { description: 'The activity.' }) input: AddActivityInput,
  ): Promise<AddActivityPayload> {
    const activity = { ...input, contactId: decodeId('Contact', input.contactId) };
    const work = async () => ({ activity: shownActivity(await context.write((app, viewer) => addActivity(app, viewer, activity))) });
    return payload<AddActivityPayload>(work, { activity: null });
  }

  @Mutation(() => AddMembershipPayload, { description: 'Gives a contact a membership.' })
  addMembership(
    @Ctx() context: Context,
    @Arg('input', () => AddMembershipInput, { description: 'The membership.' }) { contactId, planId, ...rest }: AddMembershipInput,
  ): Promise<AddMembershipPayload> {
    const membership = { ...rest, contactId: decodeId('Contact', contactId), planId: decodeOptionalId('MembershipPlan', planId) };
    const work = async () => ({
      membership: shownMembership(await context.write((app, viewer) => addMembership(app, viewer, membership))),
    });
    return payload<AddMembershipPayload>(work, { membership: null });
  }
}
