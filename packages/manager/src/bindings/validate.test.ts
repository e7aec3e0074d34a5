import { describe, expect, it } from 'vitest';
import { BindingProblem } from './problem.ts';
import { binding } from './fixtures.ts';
import { accessOf, holderOf, type KubeconfigSecret, selectorProblem, specProblem } from './validate.ts';
import { newKeyPair, selfSignedCertificate } from '@kubeocean/shared/tls';

const CA = Buffer.from(
  selfSignedCertificate(
    { commonName: 'test', organizations: [], ips: [], dnsNames: [] },
    newKeyPair(),
    new Date('2026-01-01T00:00:00Z'),
    new Date('2027-01-01T00:00:00Z'),
  ),
).toString('base64');

function kubeconfig(change: { user?: object; cluster?: object } = {}): string {
  return JSON.stringify({
    'current-context': 'w',
    contexts: [{ name: 'w', context: { cluster: 'w', user: 'w' } }],
    clusters: [
      { name: 'w', cluster: { server: 'https://10.9.8.7:6443', 'certificate-authority-data': CA, ...change.cluster } },
    ],
    users: [{ name: 'w', user: { token: 'geheim-7291', ...change.user } }],
  });
}

function secret(data: Record<string, string>): KubeconfigSecret {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return {
    metadata: { name: 'worker-cluster-kubeconfig' },
    data: Object.fromEntries(encoded) as Record<string, string>,
  };
}

function problemOf(given: KubeconfigSecret | undefined): BindingProblem {
  try {
    accessOf(binding('a'), given);
  } catch (error) {
    if (error instanceof BindingProblem) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('accessOf', () => {
  it('takes a kubeconfig with a token', () => {
    expect(accessOf(binding('a'), secret({ kubeconfig: kubeconfig() }))).toMatchObject({
      server: 'https://10.9.8.7:6443',
      token: 'geheim-7291',
    });
  });

  it.each([
    [
      'no Secret',
      undefined,
      'SecretMissing',
      /kubectl -n kubeocean-system create secret generic worker-cluster-kubeconfig/,
    ],
    ['no key', secret({ config: 'x' }), 'SecretKeyMissing', /no key "kubeconfig" \(only "config"\)/],
    ['an empty key', secret({ kubeconfig: '' }), 'SecretKeyMissing', /no key "kubeconfig"/],
    ['no YAML', secret({ kubeconfig: '{"a' }), 'KubeconfigMalformed', /not valid YAML/],
    [
      'an exec plug-in',
      secret({ kubeconfig: kubeconfig({ user: { exec: { command: 'evil' } } }) }),
      'KubeconfigExecPlugin',
      /exec plug-in, which is refused: use a ServiceAccount token/,
    ],
    [
      'a file',
      secret({ kubeconfig: kubeconfig({ user: { tokenFile: '/var/run/token' } }) }),
      'KubeconfigFileReference',
      /tokenFile.*embed/,
    ],
    [
      'no verification',
      secret({ kubeconfig: kubeconfig({ cluster: { 'insecure-skip-tls-verify': true } }) }),
      'KubeconfigInsecure',
      /certificate-authority-data/,
    ],
    [
      'this host',
      secret({ kubeconfig: kubeconfig({ cluster: { server: 'https://127.0.0.1:6443' } }) }),
      'KubeconfigAddressNotAllowed',
      /loopback/,
    ],
  ])('refuses %s with a reason and the next step, and quotes nothing', (_, given, reason, message) => {
    const problem = problemOf(given);
    expect(problem.reason).toBe(reason);
    expect(problem.message).toMatch(message);
    expect(problem.message).toContain('Secret kubeocean-system/worker-cluster-kubeconfig');
    expect(problem.message).not.toContain('geheim');
  });
});

describe('selectorProblem', () => {
  it('refuses a node selector that no agent reads, which the worker would only tell its owner of', () => {
    const hosts = Array.from({ length: 256 }, (_, at) => `ip-10-0-123-${at}.eu-central-1.compute.internal`);
    const selecting = (key: string, operator: 'In' | 'Gt', values: string[], terms = 1) => ({
      nodeSelectorTerms: Array.from({ length: terms }, () => ({ matchExpressions: [{ key, operator, values }] })),
    });
    const hostname = 'kubernetes.io/hostname';
    const named = (terms: number) => binding('a', { nodeSelector: selecting(hostname, 'In', hosts, terms) });
    expect(selectorProblem(binding('a'))).toBeUndefined();
    expect(selectorProblem(named(2))).toBeUndefined();
    expect(selectorProblem(named(4))).toMatchObject({ reason: 'NodeSelectorInvalid', stage: 'spec' });
    expect(selectorProblem(named(4))?.message).toMatch(/characters as JSON, more than 32768/);
    const beyond = binding('a', { nodeSelector: selecting('rank', 'Gt', ['9223372036854775808']) });
    expect(selectorProblem(beyond)?.message).toMatch(/Gt needs exactly one integer/);
  });
});

describe('specProblem', () => {
  it('refuses a Secret in another namespace', () => {
    const odd = binding('a', { secretRef: { name: 's', namespace: 'default' } });
    expect(specProblem(odd, [odd])).toMatchObject({ reason: 'SecretNamespace', stage: 'spec' });
  });

  it('gives a clusterID to the older binding, whichever is looked at first, and names it to the younger', () => {
    const old = binding('z', {}, '2026-01-01T00:00:00Z');
    const young = binding('a', {}, '2026-01-02T00:00:00Z');
    expect(specProblem(old, [young, old])).toBeUndefined();
    expect(specProblem(young, [young, old])?.message).toMatch(/taken by ClusterBinding "z"/);
    expect(holderOf('cls-example', [young, old])).toBe(old);
    expect(holderOf('other', [young, old])).toBeUndefined();
  });

  it('decides by name between bindings of one second', () => {
    const [a, b] = [binding('a'), binding('b')];
    expect(specProblem(a, [b, a])).toBeUndefined();
    expect(specProblem(b, [b, a])?.reason).toBe('ClusterIDTaken');
  });

  it('never takes a clusterID from the binding whose syncer runs', () => {
    const [a, b] = [binding('a'), binding('b')];
    expect(specProblem(b, [a, b], 'uid-of-b')).toBeUndefined();
    expect(specProblem(a, [a, b], 'uid-of-b')?.message).toMatch(/taken by ClusterBinding "b"/);
    expect(specProblem(a, [a, b], 'uid-of-one-that-is-gone')).toBeUndefined();
  });

  it('says when the holder is being deleted', () => {
    const old = binding('a');
    const going = { ...old, metadata: { ...old.metadata, deletionTimestamp: '2026-01-03T00:00:00Z' } };
    expect(specProblem(binding('b'), [going])?.message).toMatch(/which is being deleted/);
  });
});
