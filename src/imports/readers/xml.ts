// XML as the parts of a workbook are written: no document types, so no entities of their own, and nothing outside is
// ever opened. Tags and texts are found with native searches: a sheet has millions, and a parser of all of XML takes
// three times as long.
import { StringDecoder } from 'node:string_decoder';
import { Refusal } from '../../errors.ts';
import { refusal } from './refuse.ts';
import { broken } from './zip.ts';

/** Names of elements are without their prefixes: writers choose these as they like. */
export interface XmlHandler {
  /** The attributes are there until it returns. */
  open(name: string, attributes: XmlAttributes): void;
  close?(name: string): void;
  /** A text may come in pieces. */
  text?(text: string): void;
  /** A piece of the document as it stands there. */
  source?(text: string): void;
  /** What there are millions of may be read at once, where it stands as it almost always does. */
  quick?: {
    parent: string;
    /** Where the element that begins at this place ends; -1 when it is to be read like any other. */
    read(text: string, at: number): number;
  };
}

/** Of the tag at hand. */
export class XmlAttributes {
  #count = 0;
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  clear(): void {
    this.#count = 0;
  }

  add(name: string, value: string): void {
    this.#names[this.#count] = name;
    this.#values[this.#count++] = value;
  }

  get(name: string): string | undefined {
    for (let index = 0; index < this.#count; index++) if (this.#names[index] === name) return decodeReferences(this.#values[index]!);
    return undefined;
  }

  /** The `id` of the namespace of relations, whatever its prefix. */
  relationId(): string | undefined {
    const name = this.#names.slice(0, this.#count).find((name) => name.endsWith(':id'));
    return name === undefined ? undefined : this.get(name);
  }
}

/** A tag or a comment is never so long. */
const longestToken = 1_048_576;
const deepestElement = 256;

/** Hands what comes to the handler; yields after each piece, so that what came of it can be handed on. */
export async function* readXml(bytes: AsyncIterable<Buffer>, handler: XmlHandler): AsyncGenerator<void> {
  const scanner = new XmlScanner(handler);
  let decoder: StringDecoder | undefined;
  try {
    for await (const chunk of bytes) {
      decoder ??= new StringDecoder(chunk[0] === 0xff && chunk[1] === 0xfe ? 'utf16le' : 'utf8');
      scanner.add(decoder.write(chunk));
      yield;
    }
    if (decoder) scanner.add(decoder.end());
    scanner.end();
  } catch (error) {
    throw error instanceof Refusal ? error : broken(error);
  }
}

/** Reads a part to its end. */
export async function parseXml(bytes: AsyncIterable<Buffer>, handler: XmlHandler): Promise<void> {
  for await (const _ of readXml(bytes, handler));
}

class XmlScanner {
  #rest = '';
  /** The elements that are open, with their prefixes and without. */
  readonly #open: string[] = [];
  readonly #openLocal: string[] = [];
  #isStarted = false;
  #isEnded = false;
  readonly #attributes = new XmlAttributes();

  constructor(private readonly handler: XmlHandler) {}

  add(piece: string): void {
    this.handler.source?.(piece);
    const text = this.#isStarted || this.#rest ? this.#rest + piece : piece.replace(/^\uFEFF/, '');
    let at = 0;
    while (at < text.length) {
      const next = this.#token(text, at);
      if (next < 0) break;
      at = next;
    }
    this.#rest = text.slice(at);
    if (this.#rest.length > longestToken) throw new Error('A piece of it has no end.');
  }

  end(): void {
    if (!this.#isEnded || this.#rest.trim() !== '') throw new Error('It ends before its last element does.');
  }

  /** Where what stands at this place ends; -1 when that is not in the text yet. */
  #token(text: string, at: number): number {
    const tag = text.indexOf('<', at);
    if (tag !== at) {
      // A reference may be cut in two.
      if (tag < 0 && (text.length - at < 65_536 || this.#open.length === 0)) return -1;
      const end = tag < 0 ? text.lastIndexOf('&', text.length - 1) : tag;
      const cut = tag < 0 && (end < text.length - 64 || end <= at) ? text.length : end;
      this.#text(text.slice(at, cut));
      return cut;
    }
    switch (text.charCodeAt(at + 1)) {
      case 47: // </
        return this.#closing(text, at);
      case 63: // <?
        return after(text, '?>', at);
      case 33: // <!
        return this.#declaration(text, at);
      default: {
        const { quick } = this.handler;
        const end = quick && this.#openLocal.at(-1) === quick.parent ? quick.read(text, at) : -1;
        return end < 0 ? this.#opening(text, at) : end;
      }
    }
  }

  #text(text: string): void {
    if (this.#open.length > 0) this.handler.text?.(decodeReferences(text));
    else if (text.trim() !== '') throw new Error('There is text outside of its elements.');
  }

  #declaration(text: string, at: number): number {
    if (text.startsWith('<!--', at)) return after(text, '-->', at + 4);
    if (text.startsWith('<![CDATA[', at)) {
      const end = after(text, ']]>', at);
      if (end >= 0) this.handler.text?.(text.slice(at + 9, end - 3));
      return end;
    }
    if (text.length - at < 9) return -1;
    throw entities();
  }

  #closing(text: string, at: number): number {
    const end = text.indexOf('>', at);
    if (end < 0) return -1;
    const name = this.#open.pop();
    if (name === undefined || !text.startsWith(name, at + 2) || (end > at + 2 + name.length && text.slice(at + 2 + name.length, end).trim() !== '')) {
      throw new Error('An element is closed that is not open.');
    }
    this.#isEnded = this.#open.length === 0;
    this.handler.close?.(this.#openLocal.pop()!);
    return end + 1;
  }

  #opening(text: string, start: number): number {
    let at = start + 1;
    while (at < text.length && !endsName(text.charCodeAt(at))) at++;
    const name = text.slice(start + 1, at);
    const attributes = this.#attributes;
    attributes.clear();
    let isEmpty = false;
    for (;;) {
      while (isSpace(text.charCodeAt(at))) at++;
      if (at >= text.length) return -1;
      const char = text.charCodeAt(at);
      if (char === 62) break; // >
      if (char === 47) {
        // The end of an element without content: />
        if (at + 1 >= text.length) return -1;
        if (text.charCodeAt(at + 1) !== 62) throw new Error('A tag is malformed.');
        isEmpty = true;
        at++;
        break;
      }
      let equals = at;
      while (equals < text.length && text.charCodeAt(equals) !== 61) equals++; // =
      let quote = equals + 1;
      while (isSpace(text.charCodeAt(quote))) quote++;
      if (quote >= text.length) return -1;
      const mark = text.charCodeAt(quote);
      if (mark !== 34 && mark !== 39) throw new Error('An attribute is malformed.');
      const end = text.indexOf(mark === 34 ? '"' : "'", quote + 1);
      if (end < 0) return -1;
      let nameEnd = equals;
      while (isSpace(text.charCodeAt(nameEnd - 1))) nameEnd--;
      attributes.add(text.slice(at, nameEnd), text.slice(quote + 1, end));
      at = end + 1;
    }
    if (name === '' || this.#isEnded) throw new Error('It has an element without a name, or more than one at its root.');
    this.#isStarted = true;
    const local = localName(name);
    this.handler.open(local, attributes);
    if (isEmpty) {
      this.handler.close?.(local);
      this.#isEnded = this.#open.length === 0;
    } else {
      this.#openLocal.push(local);
      if (this.#open.push(name) > deepestElement) throw new Error('Its elements are nested too deep.');
    }
    return at + 1;
  }
}

const isSpace = (char: number) => char === 32 || char === 10 || char === 13 || char === 9;
const endsName = (char: number) => char === 62 || char === 47 || isSpace(char);

/** Behind the mark; -1 when it is not there yet. */
function after(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? -1 : at + mark.length;
}

function localName(name: string): string {
  const colon = name.indexOf(':');
  return colon < 0 ? name : name.slice(colon + 1);
}

const named: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function decodeReferences(text: string): string {
  return text.includes('&') ? text.replace(/&([^;&]*);?/g, (reference, name: string) => named.get(name) ?? characterOf(reference)) : text;
}

function characterOf(reference: string): string {
  const [, hex, decimal] = /^&#(?:x([\dA-Fa-f]{1,6})|(\d{1,7}));$/.exec(reference) ?? [];
  const code = hex ? Number.parseInt(hex, 16) : Number(decimal ?? NaN);
  if (!(code <= 0x10ffff)) throw new Error('It refers to an entity that is not there.');
  return String.fromCodePoint(code);
}

const entities = () =>
  refusal(
    'XML_ENTITIES',
    'The workbook declares a document type, which no spreadsheet writes and which is used for attacks.',
    'Open it in your spreadsheet, save it under another name, and upload that.',
  );
