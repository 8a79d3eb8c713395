// The local mailbox of a test: a folder that the server puts emails into.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Mailbox extends AsyncDisposable {
  settings: Record<string, string>;
  /** The emails so far, the oldest first. */
  read(): Promise<{ to: string; subject: string; text: string; raw: string }[]>;
  /** The token in the link of the newest email. */
  token(): Promise<string>;
}

/** Use with `await using`. */
export async function openMailbox(): Promise<Mailbox> {
  const folder = await mkdtemp(join(tmpdir(), 'reinstate-mail-'));
  const read = async () => {
    const files = (await readdir(folder)).toSorted();
    return Promise.all(files.map(async (file) => parse(await readFile(join(folder, file), 'utf8'))));
  };
  return {
    settings: { MAIL_DIRECTORY: folder },
    read,
    async token() {
      const token = /#token=(\S+)/.exec((await read()).at(-1)?.text ?? '')?.[1];
      if (!token) throw new Error('There is no link in the newest email.');
      return token;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Enough of RFC 5322 for what we send: one part of text, plain or quoted-printable. */
export function parse(raw: string): { to: string; subject: string; text: string; raw: string } {
  const [head = '', ...body] = raw.split(/\r?\n\r?\n/);
  const header = (name: string) => new RegExp(`^${name}: (.*(?:\\r?\\n[ \\t].*)*)`, 'im').exec(head)?.[1]?.replaceAll(/\r?\n[ \t]/g, ' ') ?? '';
  const quoted = /quoted-printable/i.test(header('Content-Transfer-Encoding'));
  const text = body.join('\n\n');
  const unquote = (given: string) => {
    const bytes = given.replaceAll(/=\r?\n/g, '').replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString('utf8');
  };
  return { to: header('To'), subject: header('Subject'), text: quoted ? unquote(text) : text, raw };
}
