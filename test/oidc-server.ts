// A real OpenID Connect provider in a process of its own, and a browser that signs in there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { leash } from './processes.ts';

/** Where it sends people back to; nobody goes there. */
export const redirectUrl = 'https://club.example/signed-in';
export const client = { clientId: 'reinstate', clientSecret: 'a secret that only the two of us know' };

export interface OidcServer extends AsyncDisposable {
  issuer: string;
  /** Ends the process. */
  kill(): Promise<void>;
}

/** Starts the provider. Use with `await using`. */
export async function startOidc(): Promise<OidcServer> {
  const program = fileURLToPath(new URL('oidc-process.mjs', import.meta.url));
  const child = spawn(process.execPath, ['--import', leash, program, redirectUrl, client.clientId, client.clientSecret], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  let issuer = '';
  for await (const line of createInterface(child.stdout)) if ((issuer = /^http:.*$/.exec(line)?.[0] ?? '')) break;
  child.stdout.resume();
  return { issuer, kill, [Symbol.asyncDispose]: kill };
}

/**
 * What a browser does that is sent to the provider: signs in under the name and agrees.
 * @returns the address that it is sent back to
 */
export async function browse(start: string, name: string): Promise<string> {
  const jar = new Map<string, string>();
  const go = async (url: string, form?: Record<string, string>): Promise<string> => {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map((pair) => pair.join('=')).join('; ') },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    });
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ''] = set.split(';');
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = answer.headers.get('location');
    if (location?.startsWith(redirectUrl)) return location;
    if (location) return go(new URL(location, url).href);
    const page = await answer.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (!prompt) throw new Error(`The provider shows ${answer.status} at ${url}.`);
    return go(url, prompt === 'login' ? { prompt, login: name, password: 'any' } : { prompt });
  };
  return go(start);
}
