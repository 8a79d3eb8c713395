// How a file is refused, whatever it is.
import { Refusal } from '../../errors.ts';

/** @param happened a sentence; @param next what to do, a sentence */
export const refusal = (code: string, happened: string, next: string) => new Refusal(code, `${happened} Nothing was imported. ${next}`);

export const saveAsCsv = 'In your spreadsheet choose “Save as”, then “CSV UTF-8”, and upload that file.';
