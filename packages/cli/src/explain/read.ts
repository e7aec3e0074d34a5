/** Reads what explanations are made of. Whatever cannot be read is kept as a reason in words; nothing is written. */
import {
  ChartName,
  type ClusterBinding,
  ClusterBindings,
  Label,
  type LeasedNode,
  LeasedNodes,
  Namespace,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
} from '@kubeocean/shared/api';
import {
  ConfigMaps,
  Deployments,
  is404,
  isNotFound,
  type KubeClient,
  type KubeObject,
  Leases,
  messageOf,
  Nodes,
  Pods,
  type Resource,
  type Selection,
} from '@kubeocean/shared/kube';
import type { PodForRequests, Tenant, WorkerNode } from '@kubeocean/shared/lease';
import type { Connection } from '../cluster.ts';
import { Failure } from '../failure.ts';
import type { HomeFacts, Known, Vnode, WorkerFacts } from './facts.ts';

/** Of one call. */
export const TimeoutMs = 10_000;
const PageSize = 500;

export async function readHome({ client, server }: Connection): Promise<HomeFacts> {
  const where = `the computing cluster (${server})`;
  const [bindings, vnodes] = await Promise.all([
    readAll<ClusterBinding>(client, ClusterBindings, where),
    readAll<Vnode>(client, Nodes, where, { labelSelector: Label.clusterBinding }),
  ]);
  return { server, bindings, vnodes };
}

export async function readWorker({ client, server }: Connection): Promise<WorkerFacts> {
  const where = `the worker cluster (${server})`;
  const [nodes, policies, records, claims, heartbeats, tenants, timeZone] = await Promise.all([
    readAll<WorkerNode>(client, Nodes, where),
    readAll<ResourceLeasingPolicy>(client, ResourceLeasingPolicies, where),
    readAll<LeasedNode>(client, LeasedNodes, where),
    readAll(client, Leases, where, { labelSelector: `${Label.claim}=true` }),
    readAll(client, Leases, where, { fieldSelector: `metadata.name=${ChartName.agent}` }),
    readTenants(client, where),
    readTimeZone(client, where),
  ]);
  const leases: Known<KubeObject[]> =
    'value' in claims && 'value' in heartbeats
      ? { value: [...claims.value, ...heartbeats.value] }
      : 'unknown' in claims
        ? claims
        : heartbeats;
  return { server, nodes, policies, records, leases, tenants, timeZone };
}

/** Pods on one node, for what they take of it. */
export function readPodsOn({ client, server }: Connection, node: string): Promise<Known<PodForRequests[]>> {
  return readAll<PodForRequests>(client, Pods, `the worker cluster (${server})`, {
    fieldSelector: `spec.nodeName=${node}`,
  });
}

/** All pages of a kind. */
export async function readAll<T extends KubeObject = KubeObject>(
  client: KubeClient,
  resource: Resource,
  where: string,
  selection: Selection = {},
): Promise<Known<T[]>> {
  return known(`${resource.plural} of ${where}`, async () => {
    const items: T[] = [];
    const pages = client.pages<T>(resource, { ...selection, limit: PageSize }, { timeoutMs: TimeoutMs });
    for await (const page of pages) items.push(...page.items);
    return items;
  });
}

/** One object; undefined when there is none of that name. */
export function readOne<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  where: string,
  namespace: string,
  name: string,
): Promise<Known<T | undefined>> {
  return known(`${resource.kind} ${name} of ${where}`, async () => {
    try {
      return await client.get<T>(resource, namespace, name, { timeoutMs: TimeoutMs });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  });
}

/** The value, or why it is not known; a kind that is not there is told as such. */
async function known<T>(what: string, read: () => Promise<T>): Promise<Known<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    const why = is404(error)
      ? 'there is no such kind there; is its chart installed, and is it the right cluster?'
      : messageOf(error);
    return { unknown: `The ${what}: ${why}` };
  }
}

async function readTenants(client: KubeClient, where: string): Promise<Known<Tenant[]>> {
  return known(`list of tenants (ConfigMap ${Namespace.agent}/${ChartName.agent}) of ${where}`, async () => {
    const map = await client.get<KubeObject & { data?: Record<string, string> }>(
      ConfigMaps,
      Namespace.agent,
      ChartName.agent,
      {
        timeoutMs: TimeoutMs,
      },
    );
    return JSON.parse(map.data?.['tenants.json'] ?? '[]') as Tenant[];
  }).then((read) => (isMissing(read) ? { unknown: missing('who may claim what', where) } : read));
}

async function readTimeZone(client: KubeClient, where: string): Promise<Known<string>> {
  return known(`agent's --time-zone of ${where}`, async () => {
    const agent = await client.get<
      KubeObject & { spec: { template: { spec: { containers: { args?: string[] }[] } } } }
    >(Deployments, Namespace.agent, ChartName.agent, { timeoutMs: TimeoutMs });
    const args = agent.spec.template.spec.containers.flatMap(({ args = [] }) => args);
    return args.find((argument) => argument.startsWith('--time-zone='))?.slice('--time-zone='.length) ?? 'UTC';
  }).then((read) => (isMissing(read) ? { unknown: missing('its default time zone (UTC is taken)', where) } : read));
}

function isMissing(read: Known<unknown>): boolean {
  return 'unknown' in read && read.unknown.endsWith('is it the right cluster?');
}

function missing(what: string, where: string): string {
  return `${what.slice(0, 1).toUpperCase()}${what.slice(1)}: the worker agent is not installed in the namespace ${Namespace.agent} of ${where}.`;
}

/** That nothing at all could be read of a cluster is a failure, not an unknown. */
export function failIfSilent(facts: HomeFacts | WorkerFacts | undefined): void {
  if (!facts) return;
  const { server: _, ...rest } = facts;
  const all = Object.values(rest as Record<string, Known<unknown>>);
  if (all.some((one) => 'value' in one)) return;
  throw new Failure(
    all.flatMap((one) => ('unknown' in one ? [`cannot be read: ${one.unknown}`] : []))[0] ?? 'nothing can be read',
  );
}
