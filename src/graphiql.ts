// GraphiQL as one page of our own, with everything in it: it works offline, and its policy forbids it to load anything.
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface GraphiqlPage {
  /** The page, compressed with gzip. */
  body: Buffer;
  /** Its Content-Security-Policy. */
  policy: string;
}

const welcome = `# Sign in, then put the token into Headers below: { "Authorization": "Bearer <accessToken>" }
# Subscriptions use the same header.
mutation SignIn {
  signIn(input: { email: "", password: "" }) {
    accessToken
    expiresAt
    userErrors { code message }
  }
}
`;

/** The page's own call knows no headers for WebSockets: this one takes those of the open tab, where GraphiQL keeps them. */
const start = (endpoint: string) => `
  YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
    title: 'Reinstate', endpoint: ${JSON.stringify(endpoint)}, defaultQuery: ${JSON.stringify(welcome)}, subscriptionsProtocol: 'WS',
    connectionParams() {
      try {
        const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
        return JSON.parse(tabs[activeTabIndex].headers);
      } catch {
        return {};
      }
    },
  });
`;

let page: Promise<GraphiqlPage> | undefined;

/** Builds the page the first time it is asked for: its 9 MB are not for servers that never show it. */
export function graphiqlPage(endpoint: string): Promise<GraphiqlPage> {
  return (page ??= buildPage(endpoint));
}

async function buildPage(endpoint: string): Promise<GraphiqlPage> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const rendered = renderGraphiQL({ title: 'Reinstate' }).trim();
  const call = rendered.lastIndexOf('YogaGraphiQL.renderYogaGraphiQL(');
  const html = rendered.slice(0, call) + start(endpoint) + rendered.slice(rendered.indexOf('</script>', call));
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${hash}' blob:`,
    "style-src 'unsafe-inline'",
    'worker-src blob:',
    "connect-src 'self'",
    'img-src data:',
    'font-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { body: await promisify(gzip)(html), policy };
}
