/** Reads what gocrane/kubeocean left of one binding. Unlike an explanation, it needs all of it: nothing is taken over by halves. */
import {
  Annotation,
  ChartName,
  type ClusterBinding,
  ClusterBindings,
  Label,
  ManagedByValue,
  migratedWorkerName,
  Namespace,
  ResourceLeasingPolicies,
} from '@kubeocean/shared/api';
import {
  type CallOptions,
  ClusterRoleBindings,
  ConfigMaps,
  CSINodes,
  Deployments,
  is404,
  isNotFound,
  type KubeClient,
  type KubeObject,
  messageOf,
  Nodes,
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
  PriorityClasses,
  type Resource,
  Secrets,
  type Selection,
  Services,
} from '@kubeocean/shared/kube';
import type { Connection } from '../cluster.ts';
import { Failure } from '../failure.ts';
import { Foreign, type Found, LogConfigs } from './found.ts';
import { judgeIdentity } from './identity.ts';
import { readEvidence } from './read-identity.ts';

const PAGE_SIZE = 500;

/** @throws Failure when there is no such binding, or a cluster does not answer */
export async function readFound(home: Connection, worker: Connection, name: string): Promise<Found> {
  try {
    const binding = await home.client.get<ClusterBinding>(ClusterBindings, '', name);
    const { clusterID, mountNamespace } = binding.spec;
    const system = { namespace: Namespace.system };
    const ofCluster = {
      labelSelector: `${Label.managedBy}=${ManagedByValue},${Label.physicalClusterID}=${clusterID}`,
    };
    const copies = { labelSelector: `${Foreign.copiedLabel}${clusterID}=true` };
    const certificateName = `${clusterID}-logs-proxy-tls`;
    const [deployments, pods, services, [certificate], vnodes, csiNodes, managerBinding] = await Promise.all([
      all(home.client, Deployments, system),
      readSystemPods(home.client),
      all(home.client, Services, system),
      all(
        home.client,
        Secrets,
        { ...system, fieldSelector: `metadata.name=${certificateName}` },
        { metadataOnly: true },
      ),
      all(home.client, Nodes, ofCluster),
      all(home.client, CSINodes, ofCluster),
      one(home.client, ClusterRoleBindings, ChartName.manager),
    ]);
    const [workerPods, adopted, policies, workerNodes, priorityClass, evidence] = await Promise.all([
      all(worker.client, Pods, {
        namespace: mountNamespace,
        labelSelector: `${Label.managedBy}=${ManagedByValue},!${Label.bindingUID}`,
      }),
      readAdopted(worker.client, binding),
      all(worker.client, ResourceLeasingPolicies),
      all(worker.client, Nodes, { labelSelector: Label.policyApplied }),
      one(worker.client, PriorityClasses, ChartName.workerPriorityClass),
      readEvidence(home, worker, binding),
    ]);
    const copied: Found['copied'] = [];
    for (const resource of [ConfigMaps, Secrets, PersistentVolumeClaims, PersistentVolumes]) {
      for (const object of await all(home.client, resource, copies)) copied.push({ resource, object });
    }
    const logConfigs = await readLogConfigs(home.client, clusterID);
    if ('objects' in logConfigs) copied.push(...logConfigs.objects.map((object) => ({ resource: LogConfigs, object })));
    const homePods: KubeObject[] = [];
    for (const { metadata } of vnodes) {
      homePods.push(...(await all(home.client, Pods, { fieldSelector: `spec.nodeName=${metadata.name}` })));
    }
    return {
      binding,
      servers: { computing: home.server, worker: worker.server },
      identity: judgeIdentity(evidence),
      deployments,
      pods,
      services,
      certificate,
      managerBinding,
      vnodes,
      csiNodes,
      homePods,
      copied,
      ...('unread' in logConfigs && { logConfigsUnread: logConfigs.unread }),
      workerPods,
      ...adopted,
      policies,
      workerNodes,
      priorityClass,
    };
  } catch (error) {
    throw new Failure(`cannot read what there is: ${messageOf(error)}`, { cause: error });
  }
}

/** Where the processes run. */
export function readSystemPods(home: KubeClient): Promise<KubeObject[]> {
  return all(home, Pods, { namespace: Namespace.system });
}

/** Home pods that were adopted before, or made by our syncer: their counterparts are no longer to be looked for. */
async function readAdopted(
  worker: KubeClient,
  { metadata, spec }: ClusterBinding,
): Promise<Pick<Found, 'adopted' | 'useTheirs'>> {
  const ours = { namespace: spec.mountNamespace, labelSelector: `${Label.bindingUID}=${metadata.uid ?? ''}` };
  const pods = await all(worker, Pods, ours, { metadataOnly: true });
  return {
    adopted: new Set(pods.flatMap((pod) => pod.metadata.annotations?.[Annotation.virtualPodUID] ?? [])),
    useTheirs: pods.some(({ metadata: { name, annotations = {} } }) => {
      const { [Annotation.virtualPodNamespace]: namespace = '', [Annotation.virtualPodName]: home = '' } = annotations;
      return name === migratedWorkerName(namespace, home);
    }),
  };
}

/** Every LogConfig of the computing cluster was copied, and bears no label that would select it. */
async function readLogConfigs(
  home: KubeClient,
  clusterID: string,
): Promise<{ objects: KubeObject[] } | { unread: string }> {
  try {
    const finalizer = `${Foreign.copiedFinalizer}${clusterID}`;
    const every = await all(home, LogConfigs);
    return { objects: every.filter(({ metadata }) => metadata.finalizers?.includes(finalizer)) };
  } catch (error) {
    // Hardly any cluster has the kind.
    return is404(error) ? { objects: [] } : { unread: messageOf(error) };
  }
}

async function all(
  client: KubeClient,
  resource: Resource,
  selection: Selection = {},
  options: CallOptions = {},
): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  const pages = client.pages(resource, { ...selection, limit: PAGE_SIZE }, options);
  for await (const page of pages) objects.push(...page.items);
  return objects;
}

async function one(client: KubeClient, resource: Resource, name: string): Promise<KubeObject | undefined> {
  try {
    return await client.get<KubeObject>(resource, '', name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
