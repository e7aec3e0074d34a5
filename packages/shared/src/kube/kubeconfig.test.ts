import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '../tls/index.ts';
import { KubeconfigError, parseKubeconfig } from './kubeconfig.ts';

type Entry = Record<string, unknown>;

const key = newKeyPair();
const certificate = selfSignedCertificate(
  { commonName: 'test', organizations: [], ips: [], dnsNames: [] },
  key,
  new Date('2026-01-01T00:00:00Z'),
  new Date('2027-01-01T00:00:00Z'),
);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const PEM = base64(certificate);
const KEY = base64(privateKeyPem(key));
/** As an editor leaves it that lost a line. */
const damaged = (text: string) => base64(text.split('\n').toSpliced(2, 1).join('\n'));
const SERVER = 'https://api.example.test:6443';

/** A good kubeconfig with some entries changed. */
function kubeconfig(change: { cluster?: Entry; user?: Entry; context?: Entry; document?: Entry } = {}): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'main',
    contexts: [{ name: 'main', context: { cluster: 'c', user: 'u', ...change.context } }],
    clusters: [{ name: 'c', cluster: { server: SERVER, 'certificate-authority-data': PEM, ...change.cluster } }],
    users: [{ name: 'u', user: { token: 'secret-token', ...change.user } }],
    ...change.document,
  });
}

function refusal(text: string, trust: 'trusted' | 'untrusted' = 'untrusted'): { reason: string; message: string } {
  try {
    parseKubeconfig(text, { trust });
  } catch (error) {
    if (error instanceof KubeconfigError) return { reason: error.reason, message: error.message };
    throw error;
  }
  throw new Error('the kubeconfig was not refused');
}

test('takes the current context: server, authority, token, namespace', () => {
  const access = parseKubeconfig(
    kubeconfig({ context: { namespace: 'kubeocean-worker' }, cluster: { server: `${SERVER}/` } }),
    {
      trust: 'untrusted',
    },
  );
  expect(access).toEqual({
    server: SERVER,
    ca: certificate,
    token: 'secret-token',
    namespace: 'kubeocean-worker',
  });
});

test('takes a client certificate with its key, JSON, and a server name', () => {
  const user = { token: undefined, 'client-certificate-data': PEM, 'client-key-data': KEY };
  const text = kubeconfig({ user, cluster: { 'tls-server-name': 'kubernetes' } });
  for (const form of [text, JSON.stringify(parse(text))]) {
    const access = parseKubeconfig(form, { trust: 'untrusted' });
    expect(access.cert).toContain('BEGIN');
    expect(access.key).toContain('BEGIN');
    expect(access.token).toBeUndefined();
    expect(access.tlsServerName).toBe('kubernetes');
  }
});

const refused: { name: string; text: string; reason: string; message: RegExp }[] = [
  {
    name: 'an authority that is damaged',
    text: kubeconfig({ cluster: { 'certificate-authority-data': damaged(certificate) } }),
    reason: 'Malformed',
    message: /^the certificate-authority of the kubeconfig is not a certificate in PEM, or is damaged$/,
  },
  {
    name: 'an authority of which the second is damaged',
    text: kubeconfig({
      cluster: {
        'certificate-authority-data': base64(certificate + Buffer.from(damaged(certificate), 'base64').toString()),
      },
    }),
    reason: 'Malformed',
    message: /certificate-authority/,
  },
  {
    name: 'an authority that is a key',
    text: kubeconfig({ cluster: { 'certificate-authority-data': KEY } }),
    reason: 'Malformed',
    message: /certificate-authority/,
  },
  {
    name: 'a client certificate that is damaged',
    text: kubeconfig({ user: { 'client-certificate-data': damaged(certificate), 'client-key-data': KEY } }),
    reason: 'Malformed',
    message: /^the client-certificate of/,
  },
  {
    name: 'a client key that is damaged',
    text: kubeconfig({ user: { 'client-certificate-data': PEM, 'client-key-data': damaged(privateKeyPem(key)) } }),
    reason: 'Malformed',
    message: /^the client-key of the kubeconfig is not a private key in PEM, or is damaged$/,
  },
  {
    name: 'the key of another certificate',
    text: kubeconfig({
      user: { 'client-certificate-data': PEM, 'client-key-data': base64(privateKeyPem(newKeyPair())) },
    }),
    reason: 'Malformed',
    message: /^the client-key of the kubeconfig is not that of its client-certificate$/,
  },
  { name: 'not YAML', text: 'a: [', reason: 'Malformed', message: /not valid YAML/ },
  { name: 'an alias bomb', text: 'a: &a [x, x]\nb: [*a, *a]\n', reason: 'Malformed', message: /not valid YAML/ },
  { name: 'empty', text: '', reason: 'Malformed', message: /empty/ },
  { name: 'a text', text: 'hello', reason: 'Malformed', message: /not a YAML mapping/ },
  {
    name: 'no current context',
    text: kubeconfig({ document: { 'current-context': undefined } }),
    reason: 'ContextMissing',
    message: /no current-context/,
  },
  {
    name: 'a context that is not there',
    text: kubeconfig({ document: { 'current-context': 'other' } }),
    reason: 'ContextMissing',
    message: /refers to a context that is not in the file/,
  },
  {
    name: 'a cluster that is not there',
    text: kubeconfig({ context: { cluster: 'other' } }),
    reason: 'ContextMissing',
    message: /refers to a cluster/,
  },
  {
    name: 'a user that is not there',
    text: kubeconfig({ context: { user: 'other' } }),
    reason: 'ContextMissing',
    message: /refers to a user/,
  },
  {
    name: 'an exec plug-in',
    text: kubeconfig({ user: { exec: { command: '/bin/sh' } } }),
    reason: 'ExecPlugin',
    message: /exec plug-in.*refused.*scripts\/kubeconfig\.sh/,
  },
  {
    name: 'an auth provider',
    text: kubeconfig({ user: { 'auth-provider': { name: 'gcp' } } }),
    reason: 'AuthProvider',
    message: /auth-provider.*refused/,
  },
  ...['client-certificate', 'client-key', 'tokenFile'].map((field) => ({
    name: `a file as ${field}`,
    text: kubeconfig({ user: { [field]: '/etc/passwd' } }),
    reason: 'FileReference',
    message: new RegExp(`refers to a file \\(${field}\\).*--flatten`),
  })),
  {
    name: 'a file as certificate-authority',
    text: kubeconfig({ cluster: { 'certificate-authority': '/etc/passwd' } }),
    reason: 'FileReference',
    message: /refers to a file \(certificate-authority\)/,
  },
  {
    name: 'insecure-skip-tls-verify',
    text: kubeconfig({ cluster: { 'insecure-skip-tls-verify': true } }),
    reason: 'Insecure',
    message: /insecure-skip-tls-verify is refused: give certificate-authority-data/,
  },
  {
    name: 'http',
    text: kubeconfig({ cluster: { server: 'http://api.example.test' } }),
    reason: 'Insecure',
    message: /not https/,
  },
  ...['ops:secret-password', 'secret-user', ':secret-password'].map((userinfo) => ({
    name: `${userinfo} in the server URL`,
    text: kubeconfig({ cluster: { server: `https://${userinfo}@api.example.test:6443` } }),
    reason: 'Insecure',
    message: /^a user name or password in the server URL of the kubeconfig is refused: give a token/,
  })),
  {
    name: 'a proxy',
    text: kubeconfig({ cluster: { 'proxy-url': 'http://proxy.example.test' } }),
    reason: 'Proxy',
    message: /proxy-url is refused/,
  },
  ...['as', 'as-groups', 'as-uid', 'as-user-extra'].map((field) => ({
    name: `impersonation by ${field}`,
    text: kubeconfig({ user: { [field]: 'system:admin' } }),
    reason: 'Impersonation',
    message: /impersonation .* is refused/,
  })),
  ...['https://127.0.0.1:6443', 'https://localhost', 'https://[::1]:6443', 'https://169.254.169.254'].map((server) => ({
    name: `the address ${server}`,
    text: kubeconfig({ cluster: { server } }),
    reason: 'AddressNotAllowed',
    message: /loopback or link-local.*pods of the computing cluster can reach/,
  })),
  {
    name: 'no server',
    text: kubeconfig({ cluster: { server: undefined } }),
    reason: 'Malformed',
    message: /no valid server URL/,
  },
  {
    name: 'a server that is no URL',
    text: kubeconfig({ cluster: { server: 'api:port' } }),
    reason: 'Malformed|Insecure',
    message: /server/,
  },
  {
    name: 'an authority that is not base64 of PEM',
    text: kubeconfig({ cluster: { 'certificate-authority-data': 'bm90IHBlbQ==' } }),
    reason: 'Malformed',
    message: /certificate-authority-data of the kubeconfig's cluster is not base64 of a PEM text/,
  },
  {
    name: 'a token that no header takes',
    text: kubeconfig({ user: { token: 'secret\ntoken' } }),
    reason: 'Malformed',
    message: /token of the kubeconfig holds characters/,
  },
  {
    name: 'no credential',
    text: kubeconfig({ user: { token: undefined } }),
    reason: 'NoCredential',
    message: /neither a token nor a client certificate/,
  },
  {
    name: 'a certificate without its key',
    text: kubeconfig({ user: { token: undefined, 'client-certificate-data': PEM } }),
    reason: 'NoCredential',
    message: /with its key/,
  },
];

test.each(refused)('refuses $name', ({ text, reason, message }) => {
  const got = refusal(text);
  expect(got.reason).toMatch(new RegExp(`^(${reason})$`));
  expect(got.message).toMatch(message);
  // What is in a kubeconfig is secret, and its message ends up in a condition that many may read.
  expect(got.message).not.toMatch(/secret|\/etc\/passwd|\/bin\/sh|example\.test/);
});

test('a trusted kubeconfig may name files and this host, but no program', () => {
  const local = kubeconfig({ cluster: { server: 'https://127.0.0.1:6443' } });
  expect(parseKubeconfig(local, { trust: 'trusted' }).server).toBe('https://127.0.0.1:6443');
  expect(refusal(kubeconfig({ user: { exec: {} } }), 'trusted').reason).toBe('ExecPlugin');
  expect(refusal(kubeconfig({ user: { token: undefined, tokenFile: 'none' } }), 'trusted').reason).toBe('Unreadable');
});

test.each<[string, Parameters<typeof kubeconfig>[0], string]>([
  ['as', { user: { as: 'admin' } }, 'impersonation (as) is refused'],
  ['as-groups', { user: { 'as-groups': ['system:masters'] } }, 'impersonation (as-groups) is refused'],
  ['proxy-url', { cluster: { 'proxy-url': 'http://proxy.example.test' } }, 'proxy-url is refused'],
  [
    'insecure-skip-tls-verify',
    { cluster: { 'insecure-skip-tls-verify': true } },
    'insecure-skip-tls-verify is refused',
  ],
  [
    'a password in the server URL',
    { cluster: { server: 'https://ops:secret-password@api.example.test' } },
    'a user name or password in the server URL of the kubeconfig is refused',
  ],
  ['auth-provider', { user: { 'auth-provider': { name: 'gcp' } } }, 'auth-provider, which is refused'],
])('%s of a trusted kubeconfig is not left out in silence', (_, change, words) => {
  expect(refusal(kubeconfig(change), 'trusted').message).toContain(words);
});

test('fields that say nothing are no reason to refuse a trusted kubeconfig', () => {
  const cluster = { 'insecure-skip-tls-verify': false, 'proxy-url': '', 'tls-server-name': 'kubernetes' };
  const access = parseKubeconfig(kubeconfig({ cluster, user: { as: '' } }), { trust: 'trusted' });
  expect(access.tlsServerName).toBe('kubernetes');
});
