/** Reads a home pod and, where both are known, its counterpart: each step needs the one before. */
import {
  Annotation,
  type ClusterBinding,
  ClusterBindings,
  Label,
  labelValue,
  type LeasedNode,
  leasedNodeName,
  LeasedNodes,
  migratedNameSaidBy,
  ResourceLeasingPolicies,
  type ResourceLeasingPolicy,
  workerName,
} from '@kubeocean/shared/api';
import { Events, Nodes, Pods } from '@kubeocean/shared/kube';
import type { Connection } from '../cluster.ts';
import { type EventObject, type ExplainedPod, type Known, type PodFacts, valueOr, type Vnode } from './facts.ts';
import { readAll, readOne } from './read.ts';

const nothing = { value: undefined };

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

async function readWorkerPod(connection: Connection, facts: PodFacts): Promise<NonNullable<PodFacts['worker']>> {
  const { client, server } = connection;
  const where = `the worker cluster (${server})`;
  const { home, namespace, name } = facts;
  const binding = valueOr(home?.binding, undefined);
  const expected =
    binding && `${binding.spec.mountNamespace}/${workerName(binding.metadata.uid ?? '', namespace, name)}`;
  const pod = binding
    ? await readCounterpart(connection, where, binding, facts)
    : home
      ? nothing
      : await searchPod(connection, where, namespace, name);
  const found = valueOr(pod, undefined);
  const cluster = binding?.metadata.name ?? found?.metadata.labels?.[Label.clusterBinding];
  const node = valueOr(home?.node, undefined)?.metadata.labels?.[Label.physicalNodeName] ?? found?.spec.nodeName;
  const mount = binding?.spec.mountNamespace ?? found?.metadata.namespace;
  const [events, record] = await Promise.all([
    found ? eventsOf(connection, where, found.metadata.uid) : { value: [] },
    cluster && node && mount
      ? readOne<LeasedNode>(client, LeasedNodes, where, mount, leasedNodeName(cluster, node))
      : nothing,
  ]);
  const { status, spec } = valueOr(record, undefined) ?? {};
  const policyName = status?.policy ?? spec?.policy;
  const policy = policyName
    ? await readOne<ResourceLeasingPolicy>(client, ResourceLeasingPolicies, where, '', policyName)
    : nothing;
  return { server, ...(expected && { where: expected }), pod, events, record, policy };
}

/**
 * The pod under our name, or under the one that gocrane/kubeocean gave it when home says that it did. The latter counts only
 * with the label of this binding, which it has once it is adopted.
 */
async function readCounterpart(
  { client }: Connection,
  where: string,
  { metadata: { uid = '' }, spec: { mountNamespace } }: ClusterBinding,
  { home, namespace, name }: PodFacts,
): Promise<Known<ExplainedPod | undefined>> {
  const ours = await readOne<ExplainedPod>(client, Pods, where, mountNamespace, workerName(uid, namespace, name));
  const known = valueOr(home?.pod, undefined);
  const migrated = known && migratedNameSaidBy(known);
  if (!('value' in ours) || ours.value || migrated === undefined) return ours;
  const adopted = await readOne<ExplainedPod>(client, Pods, where, mountNamespace, migrated);
  return mapped(adopted, (pod) => (pod?.metadata.labels?.[Label.bindingUID] === uid ? pod : undefined));
}

/** Without the computing cluster: by what the worker pods say of their home pods. */
async function searchPod(
  { client }: Connection,
  where: string,
  namespace: string,
  name: string,
): Promise<Known<ExplainedPod | undefined>> {
  const labelSelector = `${Label.virtualNamespace}=${labelValue(namespace)}`;
  const pods = await readAll<ExplainedPod>(client, Pods, where, { labelSelector });
  return mapped(pods, (all) =>
    all.find(
      ({ metadata: { annotations = {} } }) =>
        annotations[Annotation.virtualPodName] === name && annotations[Annotation.virtualPodNamespace] === namespace,
    ),
  );
}

function eventsOf({ client }: Connection, where: string, uid: string | undefined): Promise<Known<EventObject[]>> {
  return readAll<EventObject>(client, Events, where, { fieldSelector: `involvedObject.uid=${uid ?? ''}` });
}

function mapped<T, R>(known: Known<T>, change: (value: T) => R): Known<R> {
  return 'value' in known ? { value: change(known.value) } : known;
}
