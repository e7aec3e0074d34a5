/** An agent's looks over its real stores, and the API server of a cluster with one node and two tenants, for tests. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createLogger } from '@kubeocean/shared/daemon';
import { KubeClient, type KubeObject } from '@kubeocean/shared/kube';
import type { Tenant } from '@kubeocean/shared/lease';
import type { TestServer } from '@kubeocean/shared/testing';
import { Looks } from './look.ts';
import { createStores } from './stores.ts';

const guarding = ['kubeocean-tenants', 'kubeocean-tenants-objects', 'kubeocean-tenants-volumes'];
function meta(name: string, namespace?: string, more: object = {}): KubeObject['metadata'] {
  return { name, uid: name, resourceVersion: '1', ...(namespace && { namespace }), ...more };
}

export function policy(cluster: string, month: number, quantity?: string): KubeObject {
  const resourceLimits = quantity === undefined ? [] : [{ resource: 'cpu', quantity }];
  return {
    metadata: meta(`p-${cluster}`, undefined, { creationTimestamp: `2026-0${month}-01T00:00:00Z` }),
    spec: { cluster, resourceLimits },
  };
}

function claim(namespace: string, binding: string): KubeObject {
  const labels = { 'kubeocean.io/claim': 'true', 'kubeocean.io/cluster-binding': binding };
  return {
    metadata: meta(`kubeocean-claim.${binding}`, namespace, { labels, creationTimestamp: '2026-01-01T00:00:00Z' }),
    spec: {},
  };
}

export function pod(name: string, namespace: string, cpu: string, labels: object): KubeObject {
  const spec = { nodeName: 'n', containers: [{ name: 'c', resources: { requests: { cpu } } }] };
  return { metadata: meta(name, namespace, { labels }), spec, status: { phase: 'Running' } };
}

export function record(namespace: string, cluster: string, phase = 'Active'): KubeObject {
  const spec = { cluster, nodeName: 'n', nodeUID: 'n', policy: `p-${cluster}` };
  const labels = { 'kubeocean.io/cluster-binding': cluster };
  return {
    metadata: meta(`${cluster}.n`, namespace, { labels }),
    spec,
    status: { phase, ceiling: { cpu: '8' } },
  };
}

export interface World {
  bindings: [north: string[], south: string[]];
  policies: KubeObject[];
  records?: KubeObject[];
  pods?: KubeObject[];
  /** Of the namespace south: 404 = it was deleted. */
  namespace?: number;
  /** Whether the chart's admission policies are there. Default: they are. */
  guarded?: boolean;
  /** Whether south may be read. Default: it answers with `refusal`. */
  readable?: boolean;
  /** Default 403. */
  refusal?: number;
}

/** Stores of a cluster with one node of 8 cpu and the tenants north and south, of which south answers 403. */
export async function begin(server: TestServer, signal: AbortSignal, world: World) {
  const {
    bindings,
    policies,
    records = [],
    pods = [],
    namespace = 200,
    guarded = true,
    readable = false,
    refusal = 403,
  } = world;
  const state = { refused: !readable, clock: 0, namespace };
  const watches = new Set<ServerResponse>();
  const asked = { refused: 0 };
  const node = { metadata: meta('n'), status: { allocatable: { cpu: '8', pods: '110' }, conditions: [] } };
  const lists: Record<string, KubeObject[]> = {
    nodes: [node],
    resourceleasingpolicies: policies,
    validatingadmissionpolicies: (guarded ? guarding : []).map((name) => ({
      metadata: meta(name),
      spec: { failurePolicy: 'Fail' },
    })),
    validatingadmissionpolicybindings: guarding.map((name) => ({
      metadata: meta(name),
      spec: { policyName: name, validationActions: ['Deny'] },
    })),
    leases: bindings.flatMap((names, at) => names.map((name) => claim(['north', 'south'][at] ?? '', name))),
    leasednodes: records,
    pods,
  };
  server.answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://x');
    const within = /\/namespaces\/([a-z]+)\//.exec(pathname)?.[1];
    const code = pathname.endsWith('/namespaces/south')
      ? state.namespace
      : within === 'south' && state.refused
        ? refusal
        : 200;
    response.statusCode = code;
    if (code === refusal) asked.refused++;
    if (code !== 200) return response.end(JSON.stringify({ kind: 'Status', code, message: 'no' }));
    if (searchParams.has('watch')) {
      if (within === 'south') watches.add(response);
      return response.flushHeaders();
    }
    const items = (lists[pathname.split('/').at(-1) ?? ''] ?? []).filter(
      ({ metadata }) => within === undefined || metadata.namespace === within,
    );
    response.end(JSON.stringify({ metadata: { resourceVersion: '1', name: 'south' }, items }));
  };
  const tenants: Tenant[] = [
    { namespace: 'north', serviceAccount: 's', bindings: bindings[0] },
    { namespace: 'south', serviceAccount: 's', bindings: bindings[1] },
  ];
  const client = new KubeClient(server.transport());
  const stores = createStores(
    client,
    tenants,
    createLogger('test', 'silent'),
    () => undefined,
    () => state.clock,
  );
  void stores.run(signal);
  void stores.runPods(signal);
  let synced = false;
  void stores.synced.then(() => (synced = true));
  const { nodes, policies: known, admissionPolicies, admissionPolicyBindings } = stores;
  const whole = [nodes, stores.pods, known, admissionPolicies, admissionPolicyBindings];
  const parts = [stores.records, stores.claims, stores.guards].flatMap((each) => each.slice(0, readable ? 2 : 1));
  await Promise.all([...whole, ...parts].map((store) => store.synced));
  const options = {
    stores,
    tenants,
    defaultTimeZone: 'UTC',
    computingRanges: [],
    timing: { deadlineSeconds: 600, noticeSeconds: 300 },
    maxGraceSeconds: 600,
  };
  const looks = new Looks(options);
  /** The agent's right on south is taken, which the server looks at when a watch begins. */
  function refuse(): void {
    state.refused = true;
    for (const watch of watches) watch.end();
  }
  return { client, options, stores, state, looks, asked, refuse, isSynced: () => synced };
}
