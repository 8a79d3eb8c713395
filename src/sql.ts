// SQL text and its parameters, composed from parts. Values never become text.

/** A statement, or a part of one: `strings` with a parameter between each two. */
export class Sql {
  constructor(
    readonly strings: readonly string[],
    readonly values: readonly unknown[],
  ) {}

  /** The text with $1, $2, … in place of the parameters. */
  get text(): string {
    const known = texts.get(this.strings);
    if (known !== undefined) return known;
    const text = this.strings.reduce((all, part, index) => `${all}$${index}${part}`);
    texts.set(this.strings, text);
    return text;
  }
}

/** A statement without inlined parts has the same `strings` each time that it is built. */
const texts = new WeakMap<readonly string[], string>();

/** Builds a statement; `${part}` is inlined when it is Sql, and a parameter when it is anything else. */
export function sql(strings: TemplateStringsArray, ...parts: unknown[]): Sql {
  if (!parts.some((part) => part instanceof Sql)) return new Sql(strings, parts);
  const texts = [strings[0]!];
  const values: unknown[] = [];
  parts.forEach((part, index) => {
    const tail = strings[index + 1]!;
    if (part instanceof Sql) {
      const [first = '', ...rest] = part.strings;
      texts.push(texts.pop() + first, ...rest);
      texts.push(texts.pop() + tail);
      values.push(...part.values);
    } else {
      values.push(part);
      texts.push(tail);
    }
  });
  return new Sql(texts, values);
}

/** Text that the code itself wrote (a column, a direction): never anything that came from outside. */
export const raw = (text: string): Sql => new Sql([text], []);

/** The parts in a row, with `separator` between them. */
export function join(parts: readonly Sql[], separator: string): Sql {
  return parts.reduce((all, part, index) => (index === 0 ? part : sql`${all}${raw(separator)}${part}`), raw(''));
}

/** A quoted identifier. */
export const name = (identifier: string): Sql => raw(quoted(identifier));

/** A quoted identifier, as text. */
export const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;
