// Erasing, as the world sees it: the preview, the confirmation, the record, and the certificate that anyone can check.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { ErasureKind, ErasureState, LegalGround } from '../entities/erasure.ts';
import { ActorKind } from './action-log.ts';
import { DateTime, described, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { RowCount } from './deletions.ts';

export const ErasureKindEnum: Record<ErasureKind, ErasureKind> = { PURGE: 'PURGE', ARTICLE_17: 'ARTICLE_17' };
registerEnumType(ErasureKindEnum, {
  name: 'ErasureKind',
  description: 'What set an erasure off.',
  valuesConfig: described({
    PURGE: 'The time in which a deletion could be recovered has run out.',
    ARTICLE_17: 'Staff erased contacts on a legal ground (GDPR, Article 17), whether live or deleted.',
  }),
});

export const ErasureStateEnum: Record<ErasureState, ErasureState> = { RUNNING: 'RUNNING', COMPLETED: 'COMPLETED' };
registerEnumType(ErasureStateEnum, {
  name: 'ErasureState',
  description: 'Where an erasure stands.',
  valuesConfig: described({
    RUNNING: 'Nothing brings the contacts back any more; stored copies are being destroyed.',
    COMPLETED: 'Every stored copy is destroyed, and the certificate is signed.',
  }),
});

export const LegalGroundEnum: Record<LegalGround, LegalGround> = {
  RETENTION_ENDED: 'RETENTION_ENDED',
  CONSENT_WITHDRAWN: 'CONSENT_WITHDRAWN',
  OBJECTION: 'OBJECTION',
  UNLAWFUL_PROCESSING: 'UNLAWFUL_PROCESSING',
  LEGAL_OBLIGATION: 'LEGAL_OBLIGATION',
  CHILD: 'CHILD',
};
registerEnumType(LegalGroundEnum, {
  name: 'LegalGround',
  description: 'Why the law asks for an erasure.',
  valuesConfig: described({
    RETENTION_ENDED: 'The data are no longer necessary (Article 17(1)(a) GDPR); the ground of every purge.',
    CONSENT_WITHDRAWN: 'The person has withdrawn consent (Article 17(1)(b) GDPR).',
    OBJECTION: 'The person objects to the processing (Article 17(1)(c) GDPR).',
    UNLAWFUL_PROCESSING: 'The data were processed unlawfully (Article 17(1)(d) GDPR).',
    LEGAL_OBLIGATION: 'A law obliges to erase them (Article 17(1)(e) GDPR).',
    CHILD: 'The data were collected from a child (Article 17(1)(f) GDPR).',
  }),
});

@InputType({ description: 'Asks what an erasure would destroy.' })
export class ContactErasurePreviewInput {
  @Field(() => [ID], { description: 'The contacts, 1 to 1,000; live or deleted ones.' })
  contactIds!: string[];
}

@ObjectType({ description: 'The alert before an erasure. Show it before asking for a confirmation: nothing brings back what is erased.' })
export class ContactErasurePreview {
  @Field(() => Int, { description: 'How many contacts would be erased.' })
  contactCount!: number;

  @Field(() => Int, { description: 'How many of them are live; the others are deleted and could still be recovered.' })
  liveCount!: number;

  @Field(() => [RowCount], {
    description: 'How many live rows of each kind would go, the contacts included. What stored copies hold comes on top. Without kinds that your roles hide.',
  })
  rows!: RowCount[];

  @Field(() => String, { description: 'What `eraseContacts` takes: bound to you, to your organization and to exactly these contacts, and used once.' })
  confirmation!: string;

  @Field(() => DateTime, { description: 'Until when the confirmation is valid.' })
  confirmationExpiresAt!: Date;
}

@InputType({ description: 'Erases what was previewed. Name the contacts exactly as in the preview.' })
export class EraseContactsInput extends ContactErasurePreviewInput {
  @Field(() => LegalGroundEnum, { description: 'Why the law asks for it. It is in the certificate.' })
  legalGround!: LegalGround;

  @Field(() => String, {
    description: 'Why, in 1 to 500 characters; in the action log until the erasure is completed, because it may name people. The legal ground stays.',
  })
  reason!: string;

  @Field(() => String, { description: 'The confirmation that the preview gave.' })
  confirmation!: string;
}

@ObjectType({ simpleResolvers: true, description: 'A contact that was erased.' })
export class ErasedContact {
  @Field(() => ID, { description: 'The id that the contact had. It leads nowhere.' })
  id!: string;
}

export const ErasedContactConnection = connectionOf(ErasedContact, 'erased contact', 'erased contacts');

@ObjectType({ simpleResolvers: true, description: 'What an erasure did to the chunks in one snapshot store.' })
export class StoreErasure {
  @Field(() => String, { description: 'The name of the store.' })
  store!: string;

  @Field(() => Int, { description: 'Chunks that were removed.' })
  removed!: number;

  @Field(() => Int, { description: 'Chunks that were sealed anew without the erased contacts.' })
  rewritten!: number;
}

@ObjectType({
  simpleResolvers: true,
  description: 'A signed statement of what was destroyed. It can be checked without this API: verify the signature of the document with the public key.',
})
export class ErasureCertificate {
  @Field(() => String, {
    description:
      'The exact text that was signed, in UTF-8: JSON with subject ids (up to 1,000; always their number, and the SHA-256 over the sorted ids of 16 bytes each), legal ground, requested and done times, rows, stores, key ids, software, actor.',
  })
  document!: string;

  @Field(() => String, { description: 'The Ed25519 signature (RFC 8032) of the document, in base64.' })
  signature!: string;

  @Field(() => String, { description: 'The public key of this installation, in PEM.' })
  publicKey!: string;

  @Field(() => Boolean, { description: 'Whether document and signature, as they are stored now, belong together and to this erasure.' })
  isValid!: boolean;
}

@ObjectType({ implements: Node, description: 'An erasure: what was destroyed for good, for whom, why and when. It names nobody.' })
export class Erasure extends Node {
  @Field(() => ErasureKindEnum, { description: 'What set it off.' })
  kind!: ErasureKind;

  @Field(() => ErasureStateEnum, { description: 'Where it stands.' })
  state!: ErasureState;

  @Field(() => LegalGroundEnum, { description: 'Why the law asks for it.' })
  legalGround!: LegalGround;

  @Field(() => ActorKind, { description: 'What kind of actor ordered it; the system orders purges.' })
  requestedByKind!: keyof typeof ActorKind;

  @Field(() => String, { description: 'The name of who ordered it.' })
  requestedByName!: string;

  @Field(() => ID, { nullable: true, description: 'The deletion that was purged; null for Article 17.' })
  deletionId!: string | null;

  @Field(() => Int, { description: 'How many contacts are nowhere any more because of it. While a purge runs it still grows.' })
  subjectCount!: number;

  @Field(() => [RowCount], {
    description: 'How many rows of each kind were destroyed so far, live ones and those in stored copies; without kinds that your roles hide.',
  })
  rows!: RowCount[];

  @Field(() => [StoreErasure], { description: 'What was done in the snapshot stores so far.' })
  stores!: StoreErasure[];

  @Field(() => [ID], { description: 'The snapshots whose key was destroyed. A key bears the id of its snapshot.' })
  destroyedKeys!: string[];

  @Field(() => DateTime, { description: 'When it was ordered. From then on nothing brings its contacts back.' })
  requestedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When the last stored copy was destroyed.' })
  doneAt!: Date | null;

  @Field(() => ErasureCertificate, {
    nullable: true,
    description: 'The signed certificate, which counts rows of all kinds; null while it runs, and when your roles hide anything of contacts.',
  })
  certificate!: ErasureCertificate | null;

  requestedById!: string | null;
  jobUuid!: string | null;
  uuid!: string;
}

export const ErasureConnection = connectionOf(Erasure, 'erasure', 'erasures');

@ObjectType({ description: 'The outcome of `eraseContacts`.' })
export class EraseContactsPayload {
  @Field(() => Erasure, { nullable: true, description: 'The erasure. Watch its job for the stored copies, and the certificate.' })
  erasure!: Erasure | null;

  @Field(() => [UserError], { description: 'Why nothing was erased; empty when it was.' })
  userErrors!: UserError[];
}
