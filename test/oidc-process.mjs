// Run by oidc-server.ts: a provider that lets anyone in under any name. The name is the subject and the address, which is
// verified unless the name begins with `unverified+`.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [redirectUrl, client_id, client_secret] = process.argv.slice(2);
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id, client_secret, redirect_uris: [redirectUrl], grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    features: { devInteractions: { enabled: true } },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: id.replace('unverified+', ''), email_verified: !id.startsWith('unverified+'), name: id }),
    }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
