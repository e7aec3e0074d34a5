import type { Allocation, DesiredRecord, PolicyOutcome } from '@kubeocean/shared/lease';
import { describe, expect, it } from 'vitest';
import { type AdmissionPolicy, type AdmissionPolicyBinding, guardProblem, withholdNew } from './policies.ts';

const names = ['kubeocean-tenants', 'kubeocean-tenants-objects', 'kubeocean-tenants-volumes'];

function policy(name: string, failurePolicy?: string): AdmissionPolicy {
  return { metadata: { name }, spec: { ...(failurePolicy && { failurePolicy }) } };
}

function bound(name: string, validationActions = ['Deny'], policyName = name): AdmissionPolicyBinding {
  return { metadata: { name }, spec: { policyName, validationActions } };
}

const all = names.map((name) => policy(name));
const bindings = names.map((name) => bound(name));

describe('what holds tenants to what is lent', () => {
  it('is in force with all policies and their bindings', () => {
    expect(guardProblem(all, bindings)).toBeUndefined();
    expect(guardProblem([...all, policy('foreign', 'Ignore')], [...bindings, bound('foreign', ['Audit'])])).toBe(
      undefined,
    );
  });

  it.each<[string, AdmissionPolicy[], AdmissionPolicyBinding[], RegExp]>([
    ['no policy', [], bindings, /ValidatingAdmissionPolicy kubeocean-tenants is missing; install the chart/],
    ['one policy only', all.slice(0, 1), bindings, /kubeocean-tenants-objects is missing/],
    [
      'a policy that lets pass',
      [policy('kubeocean-tenants', 'Ignore'), ...all.slice(1)],
      bindings,
      /lets requests pass/,
    ],
    [
      'no binding',
      all,
      bindings.slice(1),
      /no ValidatingAdmissionPolicyBinding kubeocean-tenants with the action Deny/,
    ],
    ['a binding that only warns', all, [bound('kubeocean-tenants', ['Warn']), ...bindings.slice(1)], /action Deny/],
    [
      'a binding of somebody else, which may cover less',
      all,
      [bound('mine', ['Deny'], 'kubeocean-tenants'), ...bindings.slice(1)],
      /action Deny/,
    ],
    [
      'a binding of another policy',
      all,
      [bound('kubeocean-tenants', ['Deny'], 'x'), ...bindings.slice(1)],
      /action Deny/,
    ],
  ])('is not with %s', (_, policies, bindingsNow, problem) => {
    expect(guardProblem(policies, bindingsNow)).toMatch(problem);
  });
});

describe('while nobody holds tenants to it', () => {
  const open = ['n1', 'n2'].map(
    (node): DesiredRecord => ({
      namespace: 'w',
      name: `a.${node}`,
      labels: {},
      spec: { cluster: 'a', nodeName: node, nodeUID: 'u', policy: 'p' },
      status: { phase: 'Active' },
    }),
  );
  const outcome = {
    policy: { metadata: { name: 'p' }, spec: { cluster: 'a' } },
    claim: { served: { namespace: 'w' } },
    nodes: ['n1', 'n2'],
    closing: new Map(['n1', 'n2'].map((node) => [node, { phase: 'Closing' }])),
    shrunk: new Map([['n2', 'cpu 2 of 1']]),
    account: new Map([['cpu', {}]]),
  } as unknown as PolicyOutcome;
  const allocation: Allocation = { open, closed: [], removable: [], policies: [outcome] };

  it('leases that run go on and none begins', () => {
    const withheld = withholdNew(allocation, (key) => key === 'w/a.n1');
    expect(withheld.open.map(({ name }) => name)).toEqual(['a.n1']);
    expect(withheld.policies.map(({ nodes, account }) => [nodes, account.size])).toEqual([[['n1'], 0]]);
    const [whole] = withholdNew(allocation, () => true).policies;
    expect([whole?.policy.metadata.name, whole?.nodes.length, whole?.account.size]).toEqual(['p', 2, 1]);
  });

  it('a policy does not count nodes as closed that it does not lend', () => {
    const [told] = withholdNew(allocation, () => false).policies;
    expect([told?.nodes, told?.closing.size, told?.shrunk.size]).toEqual([[], 0, 0]);
  });
});
