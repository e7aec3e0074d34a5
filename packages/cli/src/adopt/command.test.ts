/** `adopt` against two API servers that remember what was asked of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { command, type FakeCluster, kubeconfigText, listOf, startCluster } from '../fake-cluster.ts';
import { workerPod } from './samples.ts';

const KIND = '/apis/cloud.tencent.com/v1beta1';
const PODS = '/api/v1/namespaces/kubeocean-system/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/kubeocean-system/deployments';
const LOGS = '/apis/cls.cloud.tencent.com/v1/logconfigs';
const go = { 'kubeocean.io/managed-by': 'kubeocean' };

const binding = {
  metadata: { name: 'b', uid: 'binding' },
  spec: { clusterID: 'cls', mountNamespace: 'w', secretRef: { name: 's', namespace: 'kubeocean-system' } },
};
const labels = { ...go, 'kubeocean.io/physical-cluster-id': 'cls', 'kubeocean.io/physical-node-name': 'n1' };
const vnode = { metadata: { name: 'vnode-cls-n1', uid: 'v', resourceVersion: '7', labels }, spec: {} };
const SYNCER = 'kubeocean-syncer-cls';
const syncer = {
  metadata: { namespace: 'kubeocean-system', name: SYNCER, uid: 'd' },
  spec: { selector: { matchLabels: { 'k8s-app': SYNCER } } },
};
const left = {
  metadata: { namespace: 'kubeocean-system', name: 'kubeocean-syncer-cls-7d9f6c5b4-x2x4z', uid: 'p' },
  spec: {},
  status: { phase: 'Running' },
};

let home: FakeCluster;
let worker: FakeCluster;
/** Pods of the system, by how often they were asked for. */
let systemPods: (asked: number) => object[];
let deployments: object[];
let logConfigs: object | number | undefined;
/** What the Secret of the binding holds. */
let secret: string | undefined;

beforeEach(async () => {
  [home, worker] = await Promise.all([startCluster(), startCluster()]);
  systemPods = () => [];
  deployments = [];
  logConfigs = undefined;
  secret = undefined;
  home.answers = ({ method, path }) => {
    if (method === 'PATCH') return {};
    if (path === `${KIND}/clusterbindings/b`) return binding;
    if (path.includes('/secrets/')) {
      return secret === undefined ? undefined : { data: { kubeconfig: Buffer.from(secret).toString('base64') } };
    }
    if (path === PODS) return listOf(...systemPods(home.calls.filter((call) => call === `GET ${PODS}`).length));
    if (path === '/api/v1/nodes') return listOf(vnode);
    if (path === DEPLOYMENTS) return listOf(...deployments);
    if (path === LOGS) return logConfigs;
    return path.endsWith('kubeocean-manager') ? undefined : listOf();
  };
  worker.answers = ({ path }) =>
    /priorityclasses|serviceaccounts|namespaces\/kube-system/.test(path) ? undefined : listOf();
});
afterEach(() => {
  home.stop();
  worker.stop();
});

function adopt(...more: string[]) {
  return command('adopt', 'b', '--kubeconfig', home.kubeconfig, '--worker-kubeconfig', worker.kubeconfig, ...more);
}

const writes = (): string[] => home.calls.filter((call) => !call.startsWith('GET'));

describe('a second run', () => {
  it('waits for pods whose Deployment the first has deleted, before it changes anything', async () => {
    systemPods = (asked) => (asked < 4 ? [left] : []);
    const { code, error } = await adopt('--yes');
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const asked = home.calls.flatMap((call, index) => (call === `GET ${PODS}` ? [index] : []));
    const [first = 0] = home.calls.flatMap((call, index) => (call.startsWith('PATCH') ? [index] : []));
    expect(asked[3]).toBeLessThan(first);
  });

  it('stops and waits for what the manager made anew before it ended, before it changes anything', async () => {
    const { answers } = home;
    let looked = 0;
    let deleted = false;
    home.answers = (call) => {
      if (call.method === 'DELETE' && call.path === `${DEPLOYMENTS}/${SYNCER}`) {
        deleted = true;
        return {};
      }
      if (call.path !== DEPLOYMENTS) return answers(call);
      looked++;
      return looked === 2 || (looked > 2 && !deleted) ? listOf(syncer) : listOf();
    };
    let asked = 0;
    systemPods = () => (deleted && asked++ < 2 ? [left] : []);
    const { code, error, out } = await adopt('--yes');
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const from = home.calls.indexOf(`DELETE ${DEPLOYMENTS}/${SYNCER}`);
    const until = home.calls.findIndex((call) => call.startsWith('PATCH'));
    expect(home.calls.slice(from, until).filter((call) => call === `GET ${PODS}`).length).toBeGreaterThan(2);
    expect(out).toContain('computing: delete 1 Deployment');
  });

  it('waits for a pod that came when all seemed to be gone, before it changes anything', async () => {
    systemPods = (asked) => (asked === 3 || asked === 4 ? [left] : []);
    const { code, error } = await adopt('--yes');
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const until = home.calls.findIndex((call) => call.startsWith('PATCH'));
    // The first look, two rounds of waiting and looking again, and one more of waiting in the second.
    expect(home.calls.slice(0, until).filter((call) => call === `GET ${PODS}`)).toHaveLength(6);
  });

  it('says of the copies, too, that pods have which the first has adopted: it may have been cut short', async () => {
    const { answers } = worker;
    const pod = workerPod('a', { labels: { 'kubeocean.io/binding-uid': 'binding' } });
    worker.answers = (call) => {
      const isAsked =
        call.path === '/api/v1/namespaces/w/pods' && call.query.get('labelSelector')?.endsWith('=binding');
      return isAsked ? listOf(pod) : answers(call);
    };
    const { out } = await adopt('--yes');
    expect(out).toContain("kubectl -n w delete configmap,secret -l 'kubeocean.io/managed-by=kubeocean,!");
  });

  it('says beforehand what it would wait for', async () => {
    systemPods = () => [left];
    const { out } = await adopt();
    expect(out).toContain(
      `Still at work, and waited for before anything else is done:\n  computing: pod kubeocean-system/${left.metadata.name}\n`,
    );
    expect(writes()).toEqual([]);
  });
});

describe('the worker cluster', () => {
  it('is named, as the computing cluster is', async () => {
    const { out } = await adopt();
    expect(out).toMatch(/^Computing cluster https:\/\/127\.0\.0\.1:\d+, worker cluster https:\/\/127\.0\.0\.1:\d+\n/);
    expect(out).toMatch(
      /Look at this:\n {2}whether --worker-kubeconfig .* cannot be checked: the kubeconfig in Secret/,
    );
  });

  it('that the token of the binding is not of is refused, and nothing is done', async () => {
    const claims = { 'kubernetes.io': { namespace: 'w', serviceaccount: { name: 'syncer', uid: 'u1' } } };
    const token = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
    secret = kubeconfigText('https://elsewhere.example.test:6443', '', token);
    deployments = [syncer];
    const { code, error } = await adopt('--yes');
    expect(code).toBe(1);
    expect(error).toContain('is not the worker cluster of this binding');
    expect(error).not.toContain(token);
    expect(writes()).toEqual([]);
  });

  it('that leads elsewhere is told, where nothing proves it', async () => {
    secret = kubeconfigText('https://elsewhere.example.test:6443', '', 'opaque');
    const { code, out } = await adopt();
    expect(code).toBe(0);
    expect(out).toContain('leads to https://elsewhere.example.test:6443, and nothing proves that');
  });

  it('that has the counterpart of no running pod is refused, and nothing is done', async () => {
    deployments = [syncer];
    const answers = home.answers;
    const pod = { metadata: { namespace: 'shop', name: 'a', uid: 'a' }, spec: {}, status: { phase: 'Running' } };
    home.answers = (call) => (call.path === '/api/v1/pods' ? listOf(pod) : answers(call));
    const { code, error } = await adopt('--yes');
    expect(code).toBe(1);
    expect(error).toContain('has the counterpart of none: is it the right cluster?');
    expect(writes()).toEqual([]);
  });
});

describe('a step', () => {
  const node = `/api/v1/nodes/${vnode.metadata.name}`;
  const patches = () => writes().filter((call) => call === `PATCH ${node}`).length;

  /** Home answers so to the first so many patches of the vnode. */
  function refuse(code: number, times: number): void {
    const { answers } = home;
    home.answers = (call) => (call.method === 'PATCH' && patches() <= times ? code : answers(call));
  }

  it('deletes what was looked at, and nothing else of its name', async () => {
    deployments = [syncer];
    const { answers } = home;
    home.answers = (call) => {
      if (call.method !== 'DELETE') return answers(call);
      deployments = [];
      return {};
    };
    expect(await adopt('--yes')).toMatchObject({ code: 0, error: '' });
    expect(home.bodies[`DELETE ${DEPLOYMENTS}/${SYNCER}`]).toMatchObject({
      preconditions: { uid: 'd' },
      propagationPolicy: 'Background',
    });
  });

  it('for what is gone by then needs not be taken', async () => {
    refuse(404, 1);
    expect(await adopt('--yes')).toMatchObject({ code: 0, error: '' });
    expect(patches()).toBe(1);
  });

  it('for what somebody wrote since is found out anew', async () => {
    refuse(409, 2);
    expect(await adopt('--yes')).toMatchObject({ code: 0, error: '' });
    expect(patches()).toBe(3);
  });

  it('is not the last word on processes that were stopped, when nothing can be read any more', async () => {
    deployments = [syncer];
    const { answers } = home;
    home.answers = (call) => {
      if (call.method === 'DELETE') {
        deployments = [];
        return {};
      }
      return call.path === '/api/v1/nodes' && deployments.length === 0 ? 403 : answers(call);
    };
    const { code, error } = await adopt('--yes');
    expect([code, writes()]).toEqual([1, [`DELETE ${DEPLOYMENTS}/${SYNCER}`]]);
    expect(error).toContain('cannot read what there is: Forbidden /api/v1/nodes\n');
    expect(error).toMatch(/are stopped already: nobody looks after vnodes that are not taken over, until .*again\n$/);
  });

  it('that is refused ends it, and says where it stands', async () => {
    refuse(403, 1);
    const { code, error } = await adopt('--yes');
    expect([code, patches()]).toEqual([1, 1]);
    expect(error).toContain(
      `computing: patch Node ${vnode.metadata.name}: Forbidden ${node}; the steps before it are done: run it again`,
    );
    expect(error).toContain('are stopped already: nobody looks after vnodes that are not taken over');
  });
});

describe('LogConfigs', () => {
  const one = (name: string, ...finalizers: string[]) => ({
    metadata: { name, uid: name, resourceVersion: '3', finalizers },
  });

  it('lose the finalizer of this cluster', async () => {
    logConfigs = listOf(one('a', 'kubeocean.io/finalizer-cls', 'mine'), one('b', 'kubeocean.io/finalizer-cls2'));
    const { out, error } = await adopt('-o', 'json');
    expect(error).toBe('');
    const plan = JSON.parse(out) as { steps: { name: string; patch: unknown }[]; left: string[] };
    expect(plan.steps.map(({ name, patch }) => [name, patch]).slice(1)).toEqual([
      [
        'a',
        {
          type: 'merge',
          body: {
            metadata: { uid: 'a', resourceVersion: '3', labels: {}, annotations: {}, finalizers: ['mine'] },
          },
        },
      ],
    ]);
    expect(plan.left.join()).toContain('kubectl delete logconfig -l kubeocean.io/synced-by-cls=true');
  });

  it('that cannot be read are told; that nobody has are not', async () => {
    logConfigs = 403;
    expect((await adopt()).out).toContain('computing: LogConfigs cannot be read (');
    logConfigs = undefined;
    expect((await adopt()).out).not.toContain('LogConfig');
  });
});
