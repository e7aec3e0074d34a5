/** What a user is told who may not read everything: it cannot be known, never that there is none. */
import { Annotation, Label } from '@kubeocean/shared/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answers, command, type FakeCluster, listOf, startCluster } from '../fake-cluster.ts';
import { now, vnode, worker } from './samples.ts';
import { explainNode } from './node.ts';
import { explainPolicy } from './policy.ts';
import type { Known } from './facts.ts';
import { policy, record } from './samples.ts';

let [home, other]: FakeCluster[] = [];

beforeEach(async () => {
  [home, other] = await Promise.all([startCluster(), startCluster()]);
});
afterEach(() => {
  home?.stop();
  other?.stop();
});

/** What these say, and 403 for the rest. */
function only(table: Record<string, object>): Answers {
  return ({ path }) => (path.endsWith('/events') ? listOf() : (table[path] ?? 403));
}

async function explain(kind: string, name: string, which: 'home' | 'both' = 'both'): Promise<string> {
  const flags = ['--kubeconfig', home?.kubeconfig ?? ''];
  if (which === 'both') flags.push('--worker-kubeconfig', other?.kubeconfig ?? '');
  const { out, error } = await command('explain', kind, name, ...flags);
  return out + error;
}

function answers(of: FakeCluster | undefined, table: Record<string, object>): void {
  if (of) of.answers = only(table);
}

const HOME_POD = '/api/v1/namespaces/default/pods/web';
const tolerations = [{ key: 'kubeocean.io/vnode', operator: 'Exists' }];
const said = { [Annotation.physicalPodNamespace]: 'mount', [Annotation.physicalPodName]: 'web-1' };

function homePod(spec: object = {}, annotations: object = {}): object {
  return {
    metadata: { namespace: 'default', name: 'web', uid: 'u', annotations },
    spec: { tolerations, ...spec },
    status: { phase: 'Running' },
  };
}

function workerPod(uid = 'u'): object {
  const annotations = {
    [Annotation.virtualPodUID]: uid,
    [Annotation.virtualPodName]: 'web',
    [Annotation.virtualPodNamespace]: 'default',
  };
  const labels = { [Label.clusterBinding]: 'b', [Label.virtualNamespace]: 'default' };
  return {
    metadata: { namespace: 'mount', name: 'web-1', uid: 'w', annotations, labels },
    spec: { nodeName: 'n1' },
    status: { phase: 'Running' },
  };
}

describe('pod', () => {
  test('whoever may not list nodes is not told that there is no vnode', async () => {
    answers(home, { [HOME_POD]: homePod() });
    const text = await explain('pod', 'web', 'home');
    expect(text).not.toContain('There is no vnode');
    expect(text).toMatch(/What cannot be known:\n {2}The nodes of the computing cluster .*Forbidden/);
  });

  test('without the binding, the counterpart is looked for where home says that it is', async () => {
    answers(home, { [HOME_POD]: homePod({ nodeName: vnode.metadata.name }, said) });
    answers(other, { '/api/v1/namespaces/mount/pods/web-1': workerPod() });
    const text = await explain('pod', 'web');
    expect(text).toContain('Its counterpart in the worker: mount/web-1, Running, on node n1.');
    expect(text).toMatch(/What cannot be known:[^]*The clusterbindings of the computing cluster .*Forbidden/);
  });

  test('what home says is a hint only: a pod that was made for another does not count', async () => {
    answers(home, { [HOME_POD]: homePod({ nodeName: vnode.metadata.name }, said) });
    answers(other, { '/api/v1/namespaces/mount/pods/web-1': workerPod('another') });
    const text = await explain('pod', 'web');
    expect(text).not.toContain('Its counterpart');
    expect(text).not.toContain('The worker cluster has no pod');
    expect(text).toMatch(/What cannot be known:[^]*The pods of the worker cluster .*Forbidden/);
  });

  test('while home cannot be read, the worker is searched', async () => {
    answers(home, {});
    answers(other, { '/api/v1/pods': listOf(workerPod()) });
    const text = await explain('pod', 'web');
    expect(text).toContain('Pod default/web: how it is at home cannot be seen.');
    expect(text).toContain('In the worker: mount/web-1, Running, on node n1.');
    expect(text).toMatch(/What cannot be known:\n {2}The Pod web of the computing cluster .*Forbidden/);
  });

  test('nobody says that it is not there who could not look', async () => {
    answers(home, {});
    answers(other, {});
    const text = await explain('pod', 'web');
    expect(text).toMatch(/whether there is a pod default\/web in the computing cluster .* cannot be known/);
    expect(text).not.toContain('there is no pod');
    expect(await explain('node', 'n1')).not.toContain('there is no ');
  });

  test('only where both could be read it is not there', async () => {
    if (home) home.answers = () => undefined;
    if (other) other.answers = ({ path }) => (path === '/api/v1/pods' ? listOf() : undefined);
    expect(await explain('pod', 'web')).toMatch(/there is no pod default\/web in the computing cluster .* nor in/);
  });
});

const no = (what: string): Known<never> => ({ unknown: `The ${what}: forbidden` });

describe('node', () => {
  test('all of the worker', () => {
    const facts = { nodes: no('nodes'), policies: no('policies'), records: no('records'), leases: no('leases') };
    const answer = explainNode('vnode-cls-n1', {
      now,
      home: { server: 'h', bindings: { value: [] }, vnodes: { value: [vnode] } },
      worker: worker(facts),
    });
    expect(answer?.summary).toContain('whether it is lent cannot be seen');
    expect(answer?.why.join()).not.toMatch(/not lent|no ResourceLeasingPolicy/);
  });

  test('the records', () => {
    const answer = explainNode('n1', { now, worker: worker({ records: no('records') }) });
    expect(answer?.summary).toBe('Worker node n1: whether it is lent cannot be seen.');
    expect(answer?.why).toEqual([
      'Policy p for b: whether it is lent cannot be seen, for the LeasedNodes cannot be read.',
    ]);
  });

  test('the nodes', () => {
    const policies = { value: [policy('p'), policy('q', {}, '2026-02-01T00:00:00Z')] };
    const answer = explainNode('n1', { now, worker: worker({ nodes: no('nodes'), policies }) });
    expect(answer?.summary).toBe('Worker node n1: it is lent to b.');
    expect(answer?.why.join()).not.toContain('no such node');
    expect(answer?.why.join()).toContain('Policy q for b: what it means for this node cannot be seen');
  });

  test('the claims, where nothing is lent', () => {
    const facts = worker({ leases: no('leases'), records: { value: [] } });
    const words = 'not lent; why cannot be seen, for the claims (Leases) cannot be read';
    expect(explainNode('n1', { now, worker: facts })?.why).toEqual([`Policy p for b: ${words}.`]);
    expect(explainPolicy('p', { now, worker: facts })?.why).toEqual([`n1: ${words}`]);
  });

  test('the claims, where it is lent', () => {
    const facts = worker({ leases: no('leases'), records: { value: [record({ phase: 'Active' })] } });
    expect(explainNode('n1', { now, worker: facts })?.summary).toBe('Worker node n1: it is lent to b.');
  });
});
