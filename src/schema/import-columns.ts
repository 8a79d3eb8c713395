// How a file of an import is read, what its columns are for, and what is asked about them, as the world sees it.
import { Field, Float, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { questionKinds } from '../imports/recognition/evidence.ts';
import { type DateOrder, dateOrders, type TargetField, targetFields } from '../imports/recognition/mapping.ts';
import { type Encoding, encodings, type FileFormat, fileFormats } from '../imports/sheet.ts';
import { described, enumOf } from './common.ts';

const FileFormatEnum = enumOf<FileFormat>(fileFormats);
registerEnumType(FileFormatEnum, {
  name: 'FileFormat',
  description: 'What a file is, by its content.',
  valuesConfig: described({
    CSV: 'Text with separators between the cells.',
    XLSX: 'A workbook of Excel and of others that write its format.',
    VCARD: 'Cards (vCard), as phones and mail programs write them.',
  }),
});

export const EncodingEnum = enumOf<Encoding>(encodings);
registerEnumType(EncodingEnum, {
  name: 'Encoding',
  description: 'How the characters of a text are written.',
  valuesConfig: described({
    UTF_8: 'UTF-8.',
    UTF_16LE: 'UTF-16, little endian: “Unicode text” of Excel.',
    UTF_16BE: 'UTF-16, big endian.',
    WINDOWS_1252: 'Windows-1252, also known as ANSI, which covers ISO 8859-1.',
  }),
});

export const DateOrderEnum = enumOf<DateOrder>(dateOrders);
registerEnumType(DateOrderEnum, {
  name: 'DateOrder',
  description: 'In which order dates are written.',
  valuesConfig: described({ DMY: 'Day, month, year.', MDY: 'Month, day, year.', YMD: 'Year, month, day.' }),
});

const fieldNames = Object.keys(targetFields) as TargetField[];
const ImportFieldEnum = enumOf<TargetField>(fieldNames);
registerEnumType(ImportFieldEnum, { name: 'ImportField', description: 'What a column can be for.', valuesConfig: described(targetFields) });

const questionNames = Object.keys(questionKinds) as (keyof typeof questionKinds)[];
const ImportQuestionKindEnum = enumOf<keyof typeof questionKinds>(questionNames);
registerEnumType(ImportQuestionKindEnum, { name: 'ImportQuestionKind', description: 'What is asked.', valuesConfig: described(questionKinds) });

/** Within a header nothing else can be told, so it is a word and not a character. */
export const separatorNames = { COMMA: ',', SEMICOLON: ';', TAB: '\t', BAR: '|' } as const;
export const SeparatorEnum = enumOf<keyof typeof separatorNames>(['COMMA', 'SEMICOLON', 'TAB', 'BAR']);
registerEnumType(SeparatorEnum, {
  name: 'Separator',
  description: 'What stands between the cells of a text.',
  valuesConfig: described({ COMMA: 'A comma.', SEMICOLON: 'A semicolon.', TAB: 'A tab.', BAR: 'A vertical bar.' }),
});

export const decimalMarks = { COMMA: ',', POINT: '.' } as const;
export const DecimalMarkEnum = enumOf<keyof typeof decimalMarks>(['COMMA', 'POINT']);
registerEnumType(DecimalMarkEnum, {
  name: 'DecimalMark',
  description: 'What begins the fraction of a number.',
  valuesConfig: described({ COMMA: 'A comma, as in 1.234,50.', POINT: 'A point, as in 1,234.50.' }),
});

@ObjectType({ simpleResolvers: true, description: 'How a file was read. What does not apply to its format is null.' })
export class FileReading {
  @Field(() => FileFormatEnum, { description: 'What it is, by its content.' })
  format!: FileFormat;

  @Field(() => EncodingEnum, { nullable: true, description: 'Its encoding, detected or as it was asked for.' })
  encoding!: Encoding | null;

  @Field(() => SeparatorEnum, { nullable: true, description: 'Its separator.' })
  separator!: keyof typeof separatorNames | null;

  @Field(() => String, { nullable: true, description: 'Its quotation mark; empty where it has none.' })
  quote!: string | null;

  @Field(() => String, { nullable: true, description: 'The sheet that is read.' })
  sheet!: string | null;

  @Field(() => [String], { description: 'The names of all sheets.' })
  sheets!: string[];

  @Field(() => Int, { description: 'The row with the column names, from 1.' })
  headerRow!: number;
}

@ObjectType({ simpleResolvers: true, description: 'A column of the file, and what it is for.' })
export class ImportColumn {
  @Field(() => Int, { description: 'Its place, from 0.' })
  index!: number;

  @Field(() => String, { description: 'Its name, as the file spells it.' })
  header!: string;

  @Field(() => ImportFieldEnum, { nullable: true, description: 'What it is for; null: it is not imported.' })
  field!: TargetField | null;

  @Field(() => String, { nullable: true, description: 'Of a custom field: its key.' })
  customFieldKey!: string | null;

  @Field(() => String, { nullable: true, description: 'What a contact point is called, as in `Mobile`; what a note begins with.' })
  label!: string | null;

  @Field(() => Int, { nullable: true, description: 'Columns of one address, phone or membership have the same number.' })
  ordinal!: number | null;

  @Field(() => Float, { description: 'How sure that is, from 0 to 1; 1: the name says so, or a person.' })
  confidence!: number;

  @Field(() => DateOrderEnum, { nullable: true, description: 'The order of its dates, where it has any and that is known.' })
  dateOrder!: DateOrder | null;

  @Field(() => DecimalMarkEnum, { nullable: true, description: 'The decimal mark of its numbers, where it has any and that is known.' })
  decimalMark!: keyof typeof decimalMarks | null;
}

@ObjectType({ simpleResolvers: true, description: 'What can be read in two ways, and is not guessed. Answer it with `changeImport`.' })
export class ImportQuestion {
  @Field(() => ImportQuestionKindEnum, { description: 'What is asked.' })
  kind!: keyof typeof questionKinds;

  @Field(() => Int, { description: 'The column that it is about.' })
  column!: number;

  @Field(() => String, { description: 'The name of that column.' })
  header!: string;

  @Field(() => [Int], { description: 'The numbers of the first rows that show it.' })
  rows!: number[];

  @Field(() => [DateOrderEnum], { description: 'Of dates: the orders that are possible.' })
  dateOrders!: DateOrder[];
}

@InputType({ description: 'What a column is for.' })
export class ImportColumnInput {
  @Field(() => Int, { description: 'Its place, from 0.' })
  index!: number;

  @Field(() => ImportFieldEnum, { nullable: true, description: 'What it is for; null: it is not imported.' })
  field?: TargetField | null;

  @Field(() => String, { nullable: true, description: 'Of a custom field: its key.' })
  customFieldKey?: string | null;

  @Field(() => String, { nullable: true, description: 'What a contact point is called; what a note begins with.' })
  label?: string | null;

  @Field(() => Int, { nullable: true, description: 'Columns of one address, phone or membership have the same number.' })
  ordinal?: number | null;

  @Field(() => DateOrderEnum, { nullable: true, description: 'The order of its dates; left out, what its values tell.' })
  dateOrder?: DateOrder | null;

  @Field(() => DecimalMarkEnum, { nullable: true, description: 'The decimal mark of its numbers; left out, what its values tell.' })
  decimalMark?: keyof typeof decimalMarks | null;
}
