// An OpenID provider on loopback, made of npm's oidc-provider: device flow, authorization code with
// PKCE, client credentials, refresh tokens. Its own pages are plain forms without scripts or fonts.
import * as fs from 'node:fs';
import * as http from 'node:http';
import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import Provider from 'oidc-provider';

const { LAB_OIDC_PORT: port, LAB_OIDC_URL: issuer, LAB_OIDC_STATE: state } = process.env;
const lifetime = Number(process.env.LAB_OIDC_TTL || 3600);

const keyFile = `${state}/jwks.json`;
if (!fs.existsSync(keyFile)) {
  // The RSA key comes with a certificate (x5c), which some relying parties insist on.
  const rsa = createPrivateKey(fs.readFileSync(`${state}/oidc.key`)).export({ format: 'jwk' });
  rsa.x5c = [new X509Certificate(fs.readFileSync(`${state}/oidc.pem`)).raw.toString('base64')];
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  fs.writeFileSync(keyFile, JSON.stringify({ keys: [{ ...rsa, kid: 'rsa', use: 'sig', alg: 'RS256' }, { ...ec, kid: 'ec', use: 'sig', alg: 'ES256' }] }), { mode: 0o600 });
}

const users = {
  alice: { password: 'alice-pw', groups: ['admins', 'developers'], email: 'alice@example.org' },
  bob: { password: 'bob-pw', groups: ['developers'], email: 'bob@example.org' },
};
const session = (sub) => ({ 'https://aws.amazon.com/tags': { principal_tags: { team: [users[sub]?.groups[0] ?? 'none'] }, transitive_tag_keys: ['team'] } });
const claimsOf = (sub) => ({ sub, email: users[sub].email, email_verified: true, preferred_username: sub, groups: users[sub].groups, ...session(sub) });

// A resource asked for with `resource=` decides what the JWT access token looks like.
const resources = {
  'urn:lab:one': { audience: 'sts.amazonaws.com' },
  'urn:lab:many': { audience: 'lab:many' },
};
const audiences = { 'lab:many': ['sts.amazonaws.com', 'sts.aliyuncs.com'] };

const esc = (s) => String(s).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (title, body) => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${esc(title)}</title></head><body><h1>${esc(title)}</h1>${body}</body></html>`;

// A client that signs, if its public key is given.
const signer = process.env.LAB_OIDC_CLIENT_KEY ? [{ client_id: 'lab-signer', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: process.env.LAB_OIDC_CLIENT_ALG || 'RS256',
  jwks: { keys: [{ ...createPublicKey(fs.readFileSync(process.env.LAB_OIDC_CLIENT_KEY)).export({ format: 'jwk' }), use: 'sig', kid: 'one' }] }, redirect_uris: [], response_types: [], grant_types: ['client_credentials'] }] : [];

const provider = new Provider(issuer, {
  jwks: JSON.parse(fs.readFileSync(keyFile)),
  cookies: { keys: ['lab-only-cookie-key'] },
  clients: [
    { client_id: 'lab-cli', application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
      response_types: ['code'], grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] },
    { client_id: 'lab-cli-es256', application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback'],
      id_token_signed_response_alg: 'ES256', response_types: ['code'], grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] },
    { client_id: 'lab-machine', client_secret: 'lab-machine-secret', token_endpoint_auth_method: 'client_secret_basic', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
    { client_id: 'lab-machine-post', client_secret: 'lab-machine-secret', token_endpoint_auth_method: 'client_secret_post', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
    ...signer,
  ],
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups', 'sts'],
  claims: { openid: ['sub', 'https://aws.amazon.com/tags'], email: ['email', 'email_verified'], profile: ['preferred_username'], groups: ['groups'] },
  conformIdTokenClaims: false, // the claims go into the id token, as most enterprise providers do it
  findAccount: (ctx, sub) => (users[sub] ? { accountId: sub, claims: () => claimsOf(sub) } : undefined),
  pkce: { required: () => true },
  issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  ttl: { AccessToken: lifetime, IdToken: lifetime, ClientCredentials: lifetime, DeviceCode: Number(process.env.LAB_OIDC_DEVICE_TTL || 600), Interaction: 600, Session: 3600, Grant: 3600, RefreshToken: 86400 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx, form, out, err) => { ctx.body = page('Enter the code', `${err ? '<p class="error">The code is not right or has expired.</p>' : ''}${form}<button type="submit" form="op.deviceInputForm">Continue</button>`); },
      userCodeConfirmSource: (ctx, form, client, deviceInfo, userCode) => { ctx.body = page('Confirm the code', `<p>${esc(client.clientId)} shows <code>${esc(userCode)}</code></p>${form}<button type="submit" form="op.deviceConfirmForm">Continue</button><button type="submit" form="op.deviceConfirmForm" name="abort" value="yes">Cancel</button>`); },
      successSource: (ctx) => { ctx.body = page('Signed in', '<p>You may close this page.</p>'); },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => {
        const r = resources[resource];
        if (!r) { const e = new Error('invalid_target'); e.status = e.statusCode = 400; e.error = 'invalid_target'; e.expose = true; throw e; }
        return { scope: 'openid sts groups email', audience: r.audience, accessTokenFormat: 'jwt', accessTokenTTL: lifetime, jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
  extraTokenClaims: (ctx, token) => (token.accountId ? claimsOf(token.accountId) : { machine: true }),
  formats: {
    customizers: {
      jwt: (ctx, token, jwt) => {
        jwt.header = { ...jwt.header, typ: 'JWT' };
        jwt.payload.aud = audiences[jwt.payload.aud] ?? jwt.payload.aud;
        jwt.payload.sub ??= token.clientId;
      },
    },
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  renderError: (ctx, out) => { ctx.type = 'html'; ctx.body = page('Error', `<p class="error">${esc(out.error)}: ${esc(out.error_description ?? '')}</p>`); },
});
provider.proxy = issuer.startsWith('https:');

const same = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
async function interaction(req, res) {
  const details = await provider.interactionDetails(req, res);
  const { uid, prompt, params, session: known } = details;
  const show = (error) => {
    const note = error ? `<p class="error">${esc(error)}</p>` : '';
    res.setHeader('content-type', 'text/html; charset=utf-8');
    res.end(prompt.name === 'login'
      ? page('Sign in', `${note}<form method="post" action="/interaction/${uid}"><label>User <input name="login" type="text" autofocus></label><label>Password <input name="password" type="password"></label><button type="submit">Sign in</button></form>`)
      : page('Allow access', `${note}<p>${esc(params.client_id)} asks for ${esc(params.scope ?? '')}</p><form method="post" action="/interaction/${uid}"><button type="submit" name="answer" value="allow">Allow</button><button type="submit" name="answer" value="deny">Deny</button></form>`));
  };
  if (req.method === 'GET') return show();
  let body = '';
  for await (const chunk of req) { body += chunk; if (body.length > 65536) break; }
  const form = new URLSearchParams(body);
  if (prompt.name === 'login') {
    const name = form.get('login') ?? '';
    if (!Object.hasOwn(users, name) || !same(users[name].password, form.get('password') ?? '')) return show('User or password is not right.');
    return provider.interactionFinished(req, res, { login: { accountId: name } }, { mergeWithLastSubmission: false });
  }
  if (form.get('answer') === 'deny') return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the user said no' }, { mergeWithLastSubmission: false });
  const grant = details.grantId ? await provider.Grant.find(details.grantId) : new provider.Grant({ accountId: known.accountId, clientId: params.client_id });
  const missing = prompt.details;
  if (missing.missingOIDCScope) grant.addOIDCScope(missing.missingOIDCScope.join(' '));
  if (missing.missingOIDCClaims) grant.addOIDCClaims(missing.missingOIDCClaims);
  for (const [name, scopes] of Object.entries(missing.missingResourceScopes ?? {})) grant.addResourceScope(name, scopes.join(' '));
  const consent = details.grantId ? {} : { grantId: await grant.save() };
  if (details.grantId) await grant.save();
  return provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
}

const callback = provider.callback();
http.createServer((req, res) => {
  if (!req.url.startsWith('/interaction/')) return callback(req, res);
  return interaction(req, res).catch((e) => { res.statusCode = 400; res.setHeader('content-type', 'text/html'); res.end(page('Error', `<p class="error">${esc(e.message)}</p>`)); });
}).listen(Number(port), '127.0.0.1');
