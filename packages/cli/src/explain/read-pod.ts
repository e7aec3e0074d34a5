/** Reads a home pod and, where both are known, its counterpart: each step needs the one before. */
import {
  type ClusterBinding,
  ClusterBindings,
  Label,
  type LabelSelector,
  labelValue,
  type LeasedNode,
  leasedNodeName,
  LeasedNodes,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
  workerName,
} from '@kubeocean/shared/api';
import { Events, type KubeObject, NetworkPolicies, Nodes, Pods } from '@kubeocean/shared/kube';
import { matchesLabels } from '@kubeocean/shared/lease';
import type { Connection } from '../cluster.ts';
import { readBlindly, readNamed, readSaid } from './counterpart.ts';
import {
  type EventObject,
  type ExplainedPod,
  type Known,
  mapped,
  type PodFacts,
  valueOr,
  type Vnode,
} from './facts.ts';
import { readAll, readOne } from './read.ts';
import { isOnVnode, isVnode, physicalNode } from './vnode-words.ts';

const nothing = { value: undefined };

interface NetworkPolicy extends KubeObject {
  spec?: { podSelector?: LabelSelector };
}

export async function readPod(
  home: Connection | undefined,
  worker: Connection | undefined,
  namespace: string,
  name: string,
  now: Date,
): Promise<PodFacts> {
  const homeFacts = home && (await readHomePod(home, namespace, name));
  const facts: PodFacts = { now, namespace, name, ...(homeFacts && { home: homeFacts }) };
  return worker ? { ...facts, worker: await readWorkerPod(worker, facts) } : facts;
}

async function readHomePod(
  connection: Connection,
  namespace: string,
  name: string,
): Promise<NonNullable<PodFacts['home']>> {
  const { client, server } = connection;
  const where = `the computing cluster (${server})`;
  const pod = await readOne<ExplainedPod>(client, Pods, where, namespace, name);
  const { spec, metadata } = valueOr(pod, undefined) ?? {};
  const [node, bindings, vnodes, events] = await Promise.all([
    spec?.nodeName ? readOne<Vnode>(client, Nodes, where, '', spec.nodeName) : nothing,
    spec?.nodeName ? readAll<ClusterBinding>(client, ClusterBindings, where) : { value: [] },
    spec && !spec.nodeName
      ? readAll<Vnode>(client, Nodes, where, { labelSelector: Label.clusterBinding })
      : { value: [] },
    metadata ? eventsOf(connection, where, metadata.uid) : { value: [] },
  ]);
  const labels = valueOr(node, undefined)?.metadata.labels ?? {};
  return {
    server,
    pod,
    node,
    networkPolicies: mayRun({ pod, node })
      ? await readSelecting(connection, where, namespace, metadata)
      : { value: [] },
    binding: mapped(bindings, (all) =>
      all.find(({ metadata }) =>
        labels[Label.bindingUID]
          ? metadata.uid === labels[Label.bindingUID]
          : labelValue(metadata.name) === labels[Label.clusterBinding],
      ),
    ),
    events,
    vnodes: mapped(vnodes, ({ length }) => length),
  };
}

/** Whether it has a node, perhaps a vnode, and has not ended. */
function mayRun(home: Pick<NonNullable<PodFacts['home']>, 'pod' | 'node'>): boolean {
  const { spec, status } = valueOr(home.pod, undefined) ?? {};
  const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return spec?.nodeName !== undefined && !ended && isOnVnode(home) !== false;
}

/** Names of the NetworkPolicies that select a pod: of its workload only the first is told of them by an event. */
async function readSelecting(
  { client }: Connection,
  where: string,
  namespace: string,
  metadata: ExplainedPod['metadata'] | undefined,
): Promise<Known<string[]>> {
  const policies = await readAll<NetworkPolicy>(client, NetworkPolicies, where, { namespace });
  return mapped(policies, (all) =>
    all
      .filter(({ spec }) => matchesLabels(spec?.podSelector ?? {}, metadata?.labels ?? {}))
      .map(({ metadata: { name } }) => name),
  );
}

async function readWorkerPod(connection: Connection, facts: PodFacts): Promise<NonNullable<PodFacts['worker']>> {
  const { client, server } = connection;
  const where = `the worker cluster (${server})`;
  const { home, namespace, name } = facts;
  const binding = valueOr(home?.binding, undefined);
  const expected =
    binding && `${binding.spec.mountNamespace}/${workerName(binding.metadata.uid ?? '', namespace, name)}`;
  const pod = await readCounterpart(connection, where, facts);
  const found = valueOr(pod, undefined);
  const [events, record] = await Promise.all([
    found ? eventsOf(connection, where, found.metadata.uid) : { value: [] },
    readRecord(connection, where, facts, found),
  ]);
  const { status, spec } = valueOr(record, undefined) ?? {};
  const policyName = status?.policy ?? spec?.policy;
  const policy = policyName
    ? await readOne<ResourceLeasingPolicy>(client, ResourceLeasingPolicies, where, '', policyName)
    : nothing;
  return { server, ...(expected && { where: expected }), pod, events, record, policy };
}

async function readCounterpart(
  connection: Connection,
  where: string,
  facts: PodFacts,
): Promise<Known<ExplainedPod | undefined>> {
  const { home, namespace, name } = facts;
  const binding = valueOr(home?.binding, undefined);
  if (binding) return readNamed(connection, where, binding, facts);
  if (!home || !('value' in home.pod)) return readBlindly(connection, where, namespace, name);
  const pod = home.pod.value;
  // Without a node, or on an ordinary one, it has no counterpart.
  if (!pod?.spec.nodeName || isOnVnode(home) === false) return nothing;
  return readSaid(connection, where, pod);
}

/** The lease that the pod stands on. */
async function readRecord(
  { client }: Connection,
  where: string,
  { home }: PodFacts,
  found: ExplainedPod | undefined,
): Promise<Known<LeasedNode | undefined>> {
  const binding = valueOr(home?.binding, undefined);
  const vnode = valueOr(home?.node, undefined);
  const node = (vnode && isVnode(vnode) ? physicalNode(vnode).name : undefined) ?? found?.spec.nodeName;
  const namespace = binding?.spec.mountNamespace ?? found?.metadata.namespace;
  if (!node || !namespace) return nothing;
  if (binding) {
    const name = leasedNodeName(binding.metadata.name, node);
    return readOne<LeasedNode>(client, LeasedNodes, where, namespace, name);
  }
  const label = found?.metadata.labels?.[Label.clusterBinding];
  if (label === undefined) return nothing;
  // A label is all that is known of the binding's name, which may be longer.
  const labelSelector = `${Label.clusterBinding}=${label}`;
  const records = await readAll<LeasedNode>(client, LeasedNodes, where, { namespace, labelSelector });
  return mapped(records, (all) => all.find(({ spec }) => spec.nodeName === node));
}

function eventsOf({ client }: Connection, where: string, uid: string | undefined): Promise<Known<EventObject[]>> {
  return readAll<EventObject>(client, Events, where, { fieldSelector: `involvedObject.uid=${uid ?? ''}` });
}
