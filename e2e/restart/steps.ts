/** The steps of a pod's life at which the syncer is killed, as data: which request it dies with, and what must hold then. */
import { ConfigMaps, type KubeObject, Pods, type Resource, Secrets } from '@kubeocean/shared/kube';
import { expect } from 'vitest';
import { absent, type SeenRequest, waitFor } from '../harness/index.ts';
import { conditionOf, FOREVER, isReady, type Pod, type PodRig, SLOW_MS } from './rig.ts';

export const Jobs: Resource = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };

/** What happens to one pod; `name` is the pod's, or its Job's. */
export interface Life {
  /** What is there before, with a syncer that runs. */
  given?: (rig: PodRig, name: string) => Promise<void>;
  /** What happens while no syncer runs; one is started for the step then. */
  away?: (rig: PodRig, name: string) => Promise<void>;
  /** What the user, the owner or the clock does, with the syncer running. */
  trigger?: (rig: PodRig, name: string) => Promise<unknown>;
  /** What must hold after the next syncer has had its time; leaves nothing of the pod behind. */
  outcome: (rig: PodRig, name: string) => Promise<void>;
}

export interface Step {
  title: string;
  life: Life;
  cluster: 'computing' | 'worker';
  /** Killed before the request reaches the API server, or after it was done and before the syncer hears of it. */
  when: 'before' | 'after';
  request: (seen: SeenRequest, name: string, rig: PodRig) => boolean;
}

const WAIT = { timeoutMs: SLOW_MS };

/** With a ConfigMap, a Secret and a token of its own. */
async function createWhole(rig: PodRig, name: string): Promise<void> {
  const metadata = { name, namespace: rig.homeNamespace };
  await rig.home.create(ConfigMaps, { metadata, data: { key: 'first' } });
  await rig.home.create(Secrets, { metadata, stringData: { key: 'secret' } });
  const container = { envFrom: [{ secretRef: { name } }], volumeMounts: [{ name: 'map', mountPath: '/etc/map' }] };
  const volumes = [{ name: 'map', configMap: { name } }];
  await rig.create(name, rig.spec(FOREVER, { volumes, restartPolicy: 'Never' }, container));
}

async function createReady(rig: PodRig, name: string): Promise<void> {
  await createWhole(rig, name);
  await rig.ready(name);
}

/** Both clusters say the same of the pod, and it was run once. */
async function agree(rig: PodRig, name: string): Promise<Pod> {
  const [home, worker] = [await rig.ready(name), await rig.inWorker(name)];
  expect([...(rig.made.get(home.metadata.uid ?? '') ?? [])]).toEqual([worker.metadata.uid]);
  expect(worker.metadata.deletionTimestamp).toBeUndefined();
  expect(home.metadata.annotations?.['kubeocean.io/physical-pod-uid']).toBe(worker.metadata.uid);
  const [container] = worker.status?.containerStatuses ?? [];
  expect(container?.restartCount).toBe(0);
  expect(home.status?.containerStatuses?.[0]?.containerID).toBe(container?.containerID);
  return home;
}

/** Deletes it at home as a user does; pod and copies go on both sides. */
async function leave(rig: PodRig, name: string): Promise<void> {
  const pod = await rig.atHome(name).catch(() => undefined);
  if (pod) await rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 2 }).catch(() => undefined);
  await rig.gone(name);
  const { worker, mountNamespace } = rig;
  await absent('copied ConfigMap', () => worker.get(ConfigMaps, mountNamespace, rig.workerName(name, 'configmap')));
  await absent('copied Secret', () => worker.get(Secrets, mountNamespace, rig.workerName(name, 'secret')));
  if (pod) await absent('token Secret', () => worker.get(Secrets, mountNamespace, rig.tokenSecret(pod)));
}

/** Home says that it failed, and why; nothing of it runs, nothing was run again. */
async function failed(rig: PodRig, name: string): Promise<Pod> {
  const pod = await rig.phase(name, 'Failed');
  expect(conditionOf(pod, 'DisruptionTarget')?.status).toBe('True');
  await absent(`worker pod of ${name}`, () => rig.inWorker(name));
  expect(rig.made.get(pod.metadata.uid ?? '')?.size).toBe(1);
  await leave(rig, name);
  return pod;
}

const creation: Life = {
  trigger: createWhole,
  async outcome(rig, name) {
    await agree(rig, name);
    await leave(rig, name);
  },
};

const running: Life = { ...creation, trigger: createReady };

const deletion: Life = {
  given: createReady,
  trigger: (rig, name) => rig.home.delete(Pods, rig.homeNamespace, name, { gracePeriodSeconds: 2 }),
  outcome: leave,
};

const eviction: Life = {
  given: createReady,
  trigger(rig, name) {
    const metadata = { name: rig.workerName(name), namespace: rig.mountNamespace };
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata };
    return rig.worker.create(Pods, body, { subresource: 'eviction' });
  },
  async outcome(rig, name) {
    await failed(rig, name);
  },
};

/** Taken with its finalizer, so that only its absence tells. */
const loss: Life = {
  given: createReady,
  async trigger(rig, name) {
    const worker = rig.workerName(name);
    await rig.worker.patch(Pods, rig.mountNamespace, worker, { metadata: { finalizers: null } });
    await rig.worker.delete(Pods, rig.mountNamespace, worker, { gracePeriodSeconds: 0 });
  },
  async outcome(rig, name) {
    expect((await failed(rig, name)).status?.reason).toBe('WorkerPodLost');
  },
};

/** More than any node has, and less than is lent: the worker's scheduler cannot place it. */
const unplaceable: Life = {
  trigger: (rig, name) => rig.create(name, rig.spec(FOREVER, {}, { resources: { requests: { cpu: '900' } } })),
  async outcome(rig, name) {
    expect((await failed(rig, name)).status?.reason).toBe('WorkerUnschedulable');
  },
};

const completion: Life = {
  trigger: (rig, name) =>
    rig.home.create(Jobs, {
      metadata: { name, namespace: rig.homeNamespace },
      spec: { backoffLimit: 3, template: { spec: rig.spec('echo done', { restartPolicy: 'Never' }) } },
    }),
  async outcome(rig, name) {
    const { home, homeNamespace } = rig;
    const job = await waitFor(
      'the Job complete',
      async () => {
        const seen = await home.get<KubeObject & { status: Record<string, unknown> }>(Jobs, homeNamespace, name);
        return seen.status['completionTime'] !== undefined && seen;
      },
      WAIT,
    );
    expect(job.status).toMatchObject({ succeeded: 1 });
    expect(job.status['failed'] ?? 0).toBe(0);
    const pods = (await home.list<Pod>(Pods, { namespace: homeNamespace, labelSelector: `job-name=${name}` })).items;
    expect(pods.map(({ status }) => status?.phase)).toEqual(['Succeeded']);
    const [pod] = pods as [Pod];
    expect(rig.made.get(pod.metadata.uid ?? '')?.size).toBe(1);
    await home.delete(Jobs, homeNamespace, name, { propagationPolicy: 'Background' });
    await leave(rig, pod.metadata.name);
  },
};

interface TokenSecret extends KubeObject {
  data: Record<string, string>;
}

/** Due by the clock: the note of when is put into the past while no syncer runs. */
const renewal: Life = {
  given: createReady,
  async away(rig, name) {
    const annotations = { 'kubeocean.io/token-renew-at': new Date(Date.now() - 1000).toISOString() };
    const secret = rig.tokenSecret(await rig.atHome(name));
    await rig.worker.patch(Secrets, rig.mountNamespace, secret, { metadata: { annotations } });
  },
  async outcome(rig, name) {
    const pod = await agree(rig, name);
    await waitFor(
      'a token that is not due',
      async () => {
        const secret = await rig.worker.get<TokenSecret>(Secrets, rig.mountNamespace, rig.tokenSecret(pod));
        const [token = ''] = Object.values(secret.data);
        const claims = Buffer.from(token, 'base64').toString().split('.')[1] ?? '';
        const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number };
        const renewAt = Date.parse(secret.metadata.annotations?.['kubeocean.io/token-renew-at'] ?? '');
        return exp * 1000 > renewAt && renewAt > Date.now();
      },
      WAIT,
    );
    await leave(rig, name);
  },
};

const change: Life = {
  given: createReady,
  async trigger(rig, name) {
    await rig.home.patch(ConfigMaps, rig.homeNamespace, name, { data: { key: 'second' } });
  },
  async outcome(rig, name) {
    await waitFor(
      'the new content in the worker',
      async () => {
        const copy = await rig.worker.get(ConfigMaps, rig.mountNamespace, rig.workerName(name, 'configmap'));
        return (copy['data'] as { key: string }).key === 'second';
      },
      WAIT,
    );
    expect(isReady(await agree(rig, name))).toBe(true);
    await leave(rig, name);
  },
};

type Request = Step['request'];

function inWorker(method: string, resource: string, more: (seen: SeenRequest) => boolean = () => true): Request {
  return (seen, name, rig) =>
    seen.method === method &&
    seen.path.startsWith(`/api/v1/namespaces/${rig.mountNamespace}/${resource}`) &&
    `${seen.path} ${seen.body}`.includes(`${name}-`) &&
    more(seen);
}

/** Names of Jobs' pods only begin with theirs. */
function atHome(method: string, suffix: string, more: (seen: SeenRequest) => boolean = () => true): Request {
  return (seen, name, rig) => {
    const path = seen.path.split('?')[0] ?? '';
    const of = `/api/v1/namespaces/${rig.homeNamespace}/pods/${name}`;
    return seen.method === method && path.startsWith(of) && path.endsWith(suffix) && more(seen);
  };
}

const isToken = (seen: SeenRequest) => seen.body.includes('service-account-token');
const isPhase = (phase: string) => (seen: SeenRequest) => seen.body.includes(`"phase":"${phase}"`);
const createMap = inWorker('POST', 'configmaps');
const createSecret = inWorker('POST', 'secrets', (seen) => !isToken(seen));
const createToken = inWorker('POST', 'secrets', isToken);
const createPod = inWorker('POST', 'pods');
const deletePod = inWorker('DELETE', 'pods');
const release = inWorker('PATCH', 'pods', (seen) => seen.body.includes('$deleteFromPrimitiveList'));
const status = atHome('PATCH', '/status');
const finishHome = atHome('DELETE', '');
const requestToken: Request = (seen, name, rig) =>
  seen.path.startsWith(`/api/v1/namespaces/${rig.homeNamespace}/serviceaccounts/`) &&
  seen.body.includes(`"name":"${name}"`);

/** One row: the moments before and after a request. */
function both(life: Life, cluster: Step['cluster'], what: string, request: Request): Step[] {
  return (['before', 'after'] as const).map((when) => ({ title: `${when} ${what}`, life, cluster, when, request }));
}

/** Rounds: the steps of one are held side by side, each with a pod of its own, and the syncer is killed once for all. */
export const rounds: Record<string, Step[]> = {
  'a pod being made': [
    ...both(creation, 'worker', 'its ConfigMap is copied', createMap),
    ...both(creation, 'worker', 'its Secret is copied', createSecret),
    ...both(creation, 'computing', 'its token is asked for', requestToken),
    ...both(creation, 'worker', 'its token is written', createToken),
    ...both(creation, 'worker', 'the worker pod is made', createPod),
    ...both(creation, 'computing', 'home is first told of it', status),
    ...both(creation, 'computing', 'home is told that it runs', atHome('PATCH', '/status', isPhase('Running'))),
    { title: 'while it runs', life: running, cluster: 'worker', when: 'before', request: () => false },
  ],
  'a pod on its way out, or whose token is due': [
    ...both(deletion, 'worker', 'the worker pod is deleted', deletePod),
    ...both(deletion, 'computing', 'home lets the pod go', finishHome),
    ...both(deletion, 'worker', 'the finalizer is taken off', release),
    ...both(deletion, 'worker', 'its copies are removed', inWorker('DELETE', 'configmaps')),
    ...both(
      eviction,
      'computing',
      'home is told of an eviction in the worker',
      atHome('PATCH', '/status', isPhase('Failed')),
    ),
    ...both(eviction, 'worker', 'an evicted worker pod is let go', release),
    ...both(loss, 'computing', 'home is told that it was lost', atHome('PATCH', '/status', isPhase('Failed'))),
    ...both(
      completion,
      'computing',
      "home is told of a Job's completion",
      atHome('PATCH', '/status', isPhase('Succeeded')),
    ),
    ...both(change, 'worker', 'a changed ConfigMap is copied', inWorker('PUT', 'configmaps')),
    ...both(unplaceable, 'worker', 'a pod that cannot be placed is deleted', deletePod),
    ...both(
      unplaceable,
      'computing',
      'home is told that it cannot be placed',
      atHome('PATCH', '/status', isPhase('Failed')),
    ),
    ...both(renewal, 'computing', 'a new token is asked for', requestToken),
    ...both(renewal, 'worker', 'a new token is written', inWorker('PUT', 'secrets', isToken)),
  ],
};
