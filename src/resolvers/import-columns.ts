// How files of imports are read and what their columns are for, turned into the contract's words and back.
import type { ImportChoices } from '../domain/import-choices.ts';
import type { ImportRecord } from '../domain/import-rows.ts';
import type { ColumnMapping } from '../imports/recognition/mapping.ts';
import { decimalMarks, type FileReading, type ImportColumn, type ImportColumnInput, separatorNames } from '../schema/import-columns.ts';
import type { StartImportInput } from '../schema/imports.ts';

const nameOf = <Names extends Record<string, string>>(names: Names, value: string | null | undefined): keyof Names | null =>
  Object.keys(names).find((name) => names[name] === value) ?? null;

export const shownColumn = ({ index, header, target, confidence, dateOrder, decimal }: ColumnMapping): ImportColumn => ({
  index,
  header,
  field: target?.field ?? null,
  customFieldKey: target?.customFieldKey ?? null,
  label: target?.label ?? null,
  ordinal: target?.ordinal ?? null,
  confidence,
  dateOrder: dateOrder ?? null,
  decimalMark: nameOf(decimalMarks, decimal),
});

export const shownReading = (facts: ImportRecord['facts']): FileReading | null => facts && { ...facts, separator: nameOf(separatorNames, facts.separator) };

export function choicesOf({ separator, decimalMark, ...choices }: Omit<StartImportInput, 'uploadId' | 'templateId'>): ImportChoices {
  return {
    ...choices,
    separator: separator && separatorNames[separator],
    decimal: decimalMark && decimalMarks[decimalMark],
  };
}

export const columnOf = ({ index, field, customFieldKey, label, ordinal, dateOrder, decimalMark }: ImportColumnInput) => ({
  index,
  target: field ? { field, customFieldKey: customFieldKey ?? null, label: label ?? null, ordinal: ordinal ?? null } : null,
  dateOrder,
  decimal: decimalMark && decimalMarks[decimalMark],
});
