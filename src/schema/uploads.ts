// Uploads, as the world sees them. The files themselves go by HTTP.
import { Field, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { FileKind, UploadState } from '../entities/upload.ts';
import { DateTime, described, Node, UserError } from './common.ts';
import { Failure } from './jobs.ts';

export const UploadStateEnum: Record<UploadState, UploadState> = { WAITING: 'WAITING', COMPLETE: 'COMPLETE', REFUSED: 'REFUSED', EXPIRED: 'EXPIRED' };
registerEnumType(UploadStateEnum, {
  name: 'UploadState',
  description: 'Where an upload stands.',
  valuesConfig: described({
    WAITING: 'The file, or a part of it, is still to come.',
    COMPLETE: 'The whole file is here, and can be used until `expiresAt`.',
    REFUSED: 'The file is not taken, and nothing of it was kept; `failure` says why.',
    EXPIRED: 'Its time is over, and nothing of it is here any more.',
  }),
});

export const FileKindEnum: Record<FileKind, FileKind> = { ZIP: 'ZIP', VCARD: 'VCARD', TEXT: 'TEXT' };
registerEnumType(FileKindEnum, {
  name: 'FileKind',
  description: 'What a file is by its first bytes, whatever it is called.',
  valuesConfig: described({
    ZIP: 'A zip archive, as an .xlsx workbook is one.',
    VCARD: 'VCards.',
    TEXT: 'Text of another kind, as CSV is.',
  }),
});

@ObjectType({ implements: Node, description: 'A file that is brought in, to import contacts from.' })
export class Upload extends Node {
  @Field(() => String, { description: 'What it was called where it comes from. Nothing is decided by it.' })
  fileName!: string;

  @Field(() => UploadStateEnum, { description: 'Where it stands.' })
  state!: UploadState;

  @Field(() => Int, { nullable: true, description: 'The bytes of the whole file; null as long as that was not said.' })
  byteLength!: number | null;

  @Field(() => Int, { description: 'How many of them are here.' })
  receivedBytes!: number;

  @Field(() => FileKindEnum, { nullable: true, description: 'What it is by its content; null until it is complete.' })
  kind!: FileKind | null;

  @Field(() => Failure, { nullable: true, description: 'Why it was refused, when it was.' })
  failure!: Failure | null;

  @Field(() => String, { description: 'The name of who made it.' })
  createdByName!: string;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'Until when it can be sent, resumed and used. Then the file is removed.' })
  expiresAt!: Date;
}

@InputType({ description: 'Announces a file.' })
export class CreateUploadInput {
  @Field(() => String, { description: 'What the file is called, in at most 255 characters: for showing only.' })
  fileName!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'The bytes of the file. Another length is refused then. Without it, the request that sends the file says so.',
  })
  byteLength?: number | null;
}

@ObjectType({
  description:
    'The outcome of `createUpload`: the target for one file, and for whoever made it. Send the file by HTTP PUT to `path`, its bytes as the body and no token; 200 says that it is complete. A large file can be sent in parts of multiples of 262,144 bytes, in order, each with `Content-Range: bytes 0-262143/1000000`; 308 asks for the next, and `Range: bytes=0-262143` tells what is here. After an interruption, an empty PUT with `Content-Range: bytes */1000000` asks for that.',
})
export class CreateUploadPayload {
  @Field(() => Upload, { nullable: true, description: 'The upload; null when it was refused.' })
  upload!: Upload | null;

  @Field(() => String, {
    nullable: true,
    description: 'The path on this server to send the file to; null when refused. Whoever has it can send the file as you.',
  })
  path!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Until when the path works.' })
  expiresAt!: Date | null;

  @Field(() => Int, { nullable: true, description: 'The most bytes that a file may have.' })
  maxBytes!: number | null;

  @Field(() => [UserError], { description: 'Why none was made; empty when one was.' })
  userErrors!: UserError[];
}
