import { newKeyPair, selfSignedCertificate } from '@kubeocean/shared/tls';
import { describe, expect, it } from 'vitest';
import { accountOf, type Evidence, judgeIdentity } from './identity.ts';

function token(claims: object): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
}

const old = {
  'kubernetes.io/serviceaccount/namespace': 'w',
  'kubernetes.io/serviceaccount/service-account.name': 'syncer',
  'kubernetes.io/serviceaccount/service-account.uid': 'u1',
};

function authority(): string {
  const [from, to] = [new Date('2026-01-01T00:00:00Z'), new Date('2027-01-01T00:00:00Z')];
  return selfSignedCertificate({ commonName: 'ca', organizations: [], ips: [], dnsNames: [] }, newKeyPair(), from, to);
}

const [ca, otherCA] = [authority(), authority()];

function evidence(change: {
  access?: Partial<Exclude<Evidence['access'], { problem: string }>>;
  worker?: Partial<Evidence['worker']>;
  knownUID?: string;
}): Evidence {
  return {
    secret: 'n/s',
    access: { server: 'https://inside:6443', ...change.access },
    worker: { server: 'https://outside:6443', ...change.worker },
    ...(change.knownUID !== undefined && { knownUID: change.knownUID }),
  };
}

describe('a worker cluster', () => {
  it.each([
    ['whose UID the binding knows', evidence({ knownUID: 'k', worker: { uid: 'k' } })],
    [
      'that has the account of the token',
      evidence({ access: { token: token(old) }, worker: { account: { uid: 'u1' } } }),
    ],
    ['of the same address', evidence({ access: { server: 'https://outside:6443/' } })],
    ['of the same authority', evidence({ access: { ca }, worker: { ca: otherCA + ca } })],
  ])('%s is the one', (_, given) => expect(judgeIdentity(given)).toEqual({ problems: [], warnings: [] }));

  it.each([
    [
      'whose UID is not the one that is known',
      evidence({ knownUID: 'k', worker: { uid: 'other' } }),
      'has the UID other',
    ],
    [
      'that has the account of the token no more',
      evidence({ access: { token: token(old), server: 'https://outside:6443' }, worker: { account: 'missing' } }),
      'of the ServiceAccount w/syncer with the UID u1, and there is none such',
    ],
    [
      'that has another account of the name',
      evidence({ access: { token: token(old), ca }, worker: { account: { uid: 'u2' }, ca } }),
      'is not the worker cluster of this binding',
    ],
  ])('%s is another', (_, given, words) => {
    const { problems, warnings } = judgeIdentity(given);
    expect(problems.join()).toContain(words);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['of which nothing is known', evidence({}), 'nothing proves that --worker-kubeconfig (https://outside:6443)'],
    ['of another authority', evidence({ access: { ca }, worker: { ca: otherCA } }), 'make sure of it'],
    ['whose accounts cannot be read', evidence({ access: { token: token(old) } }), 'make sure of it'],
    [
      'whose Secret cannot be read',
      { ...evidence({}), access: { problem: 'Secret n/s: forbidden' } },
      'cannot be checked: Secret n/s: forbidden',
    ],
  ])('%s is doubted', (_, given, words) => {
    const { problems, warnings } = judgeIdentity(given);
    expect(problems).toEqual([]);
    expect(warnings.join()).toContain(words);
  });
});

it.each([
  ['of old', token(old), { namespace: 'w', name: 'syncer', uid: 'u1' }],
  [
    'bound',
    token({ 'kubernetes.io': { namespace: 'w', serviceaccount: { name: 'syncer', uid: 'u1' } } }),
    { namespace: 'w', name: 'syncer', uid: 'u1' },
  ],
  ['of a person', token({ sub: 'me' }), undefined],
  ['that is none', 'abc', undefined],
  ['of nonsense', 'a.b.c', undefined],
])('the account of a token %s', (_, text, account) => expect(accountOf(text)).toEqual(account));
