import { Registry } from '@kubeocean/shared/daemon';
import { type ClusterAccess, KubeconfigError } from '@kubeocean/shared/kube';
import { newKeyPair, selfSignedCertificate } from '@kubeocean/shared/tls';
import { expect, it } from 'vitest';
import { credentialExpiryMetric } from './credential-expiry.ts';

const server = 'https://worker';
const jwt = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
const certificate = (validTo: Date) =>
  selfSignedCertificate(
    { commonName: 'syncer', organizations: [], ips: [], dnsNames: [] },
    newKeyPair(),
    new Date(0),
    validTo,
  );

it.each<[string, Omit<ClusterAccess, 'server'>, string[]]>([
  ['a token that ends', { token: jwt({ exp: 2_000_000_000 }) }, ['2000000000']],
  ['a token that does not', { token: jwt({ iss: 'x' }) }, []],
  ['a token that is no JWT', { token: 'abcdef.0123456789abcdef' }, []],
  ['a certificate', { cert: certificate(new Date(1_900_000_000_000)) }, ['1900000000']],
  ['a certificate that cannot be read', { cert: 'no certificate' }, []],
  [
    'both: whichever ends first',
    { token: jwt({ exp: 2_000_000_000 }), cert: certificate(new Date(1_900_000_000_000)) },
    ['1900000000'],
  ],
])('the end of %s', async (_, access, told) => {
  const registry = new Registry();
  credentialExpiryMetric(registry, { current: () => ({ server, ...access }) });
  expect(await valuesIn(registry)).toEqual(told);
});

it('nothing is left of a credential that another took the place of, or that cannot be read', async () => {
  const registry = new Registry();
  const found: (() => ClusterAccess)[] = [
    () => ({ server, token: jwt({ exp: 5 }) }),
    () => ({ server, token: 'without-end' }),
    () => {
      throw new KubeconfigError('Unreadable', 'no such file');
    },
  ];
  credentialExpiryMetric(registry, { current: () => (found.shift() as () => ClusterAccess)() });
  expect(await valuesIn(registry)).toEqual(['5']);
  expect(await valuesIn(registry)).toEqual([]);
  expect(await valuesIn(registry)).toEqual([]);
});

async function valuesIn(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).match(/(?<=^kubeocean_\w+ )\d+$/gm) ?? [];
}
