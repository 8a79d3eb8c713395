// Templates of imports, as the world sees them.
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { DateTime, Node, UserError } from './common.ts';
import { ImportColumn } from './import-columns.ts';
import { connectionOf } from './pages.ts';

@ObjectType({ implements: Node, description: 'How a kind of file is read and what its columns are for, kept under a name.' })
export class ImportTemplate extends Node {
  @Field(() => String, { description: 'Its name.' })
  name!: string;

  @Field(() => [ImportColumn], { description: 'Its columns, which are found in a file by their names.' })
  columns!: ImportColumn[];

  @Field(() => String, { description: 'The name of who made it.' })
  createdByName!: string;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last saved.' })
  updatedAt!: Date;
}

export const ImportTemplateConnection = connectionOf(ImportTemplate, 'import template', 'import templates');

@InputType({ description: 'Keeps how an import’s file is read.' })
export class SaveImportTemplateInput {
  @Field(() => ID, { description: 'The import.' })
  importId!: string;

  @Field(() => String, { description: 'The name of the template, 1 to 255 characters; one of that name is replaced.' })
  name!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `saveImportTemplate`.' })
export class SaveImportTemplatePayload {
  @Field(() => ImportTemplate, { nullable: true, description: 'The template; null when nothing was saved.' })
  template!: ImportTemplate | null;

  @Field(() => [UserError], { description: 'Why nothing was saved; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Which template.' })
export class DeleteImportTemplateInput {
  @Field(() => ID, { description: 'The template.' })
  id!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `deleteImportTemplate`.' })
export class DeleteImportTemplatePayload {
  @Field(() => ID, { nullable: true, description: 'The id of the template that is gone; null when nothing was deleted.' })
  deletedId!: string | null;

  @Field(() => [UserError], { description: 'Why nothing was deleted; empty when it was.' })
  userErrors!: UserError[];
}
