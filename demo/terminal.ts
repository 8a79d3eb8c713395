// What the demo looks like: steps, money, tables and a progress bar that also reads well in a file.
const color = process.stdout.isTTY && !process.env['NO_COLOR'];
const paint = (code: number) => (text: string) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);

export const say = (line = ''): void => void process.stdout.write(`${line}\n`);

let step = 0;
/** The heading of the next step. */
export const heading = (title: string): void => say(`\n${bold(`${++step}. ${title}`)}`);

export const number = (value: number): string => value.toLocaleString('en-US');
export const money = ({ amountMinor, currency }: { amountMinor: number; currency: string }): string =>
  `${(amountMinor / 100).toLocaleString('en-US', { minimumFractionDigits: 2 })} ${currency}`;

/** Rows of two columns, the second aligned. */
export function table(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) say(`   ${name.padEnd(width)}  ${value}`);
}

const width = 32;

/** A bar for each phase; on a terminal it is drawn over itself, in a file only its end is written. */
export class ProgressBar {
  #phase = '';
  #line = '';

  show(phase: string, done: number, total: number, note = ''): void {
    if (phase !== this.#phase) this.end();
    this.#phase = phase;
    const filled = total === 0 ? width : Math.round((done / total) * width);
    this.#line = `   ${phase.padEnd(12)} ${green('█'.repeat(filled))}${dim('░'.repeat(width - filled))} ${number(done).padStart(6)} of ${number(total)} ${dim(note)}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${this.#line}`);
  }

  end(): void {
    if (this.#line) process.stdout.write(process.stdout.isTTY ? '\n' : `${this.#line}\n`);
    this.#line = '';
  }
}
