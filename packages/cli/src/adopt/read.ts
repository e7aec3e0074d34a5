/** Reads what gocrane/kubeocean left of one binding. Unlike an explanation, it needs all of it: nothing is taken over by halves. */
import {
  ChartName,
  type ClusterBinding,
  ClusterBindings,
  Label,
  ManagedByValue,
  Namespace,
  ResourceLeasingPolicies,
} from '@kubeocean/shared/api';
import {
  ClusterRoleBindings,
  ConfigMaps,
  CSINodes,
  Deployments,
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
import { Foreign, type Found } from './found.ts';

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
    const [deployments, services, vnodes, csiNodes, workerPods, policies, workerNodes, priorityClass, managerBinding] =
      await Promise.all([
        all(home.client, Deployments, system),
        all(home.client, Services, system),
        all(home.client, Nodes, ofCluster),
        all(home.client, CSINodes, ofCluster),
        all(worker.client, Pods, {
          namespace: mountNamespace,
          labelSelector: `${Label.managedBy}=${ManagedByValue},!${Label.bindingUID}`,
        }),
        all(worker.client, ResourceLeasingPolicies),
        all(worker.client, Nodes, { labelSelector: Label.policyApplied }),
        one(worker.client, PriorityClasses, ChartName.workerPriorityClass),
        one(home.client, ClusterRoleBindings, ChartName.manager),
      ]);
    const copied: Found['copied'] = [];
    for (const resource of [ConfigMaps, Secrets, PersistentVolumeClaims, PersistentVolumes]) {
      for (const object of await all(home.client, resource, copies)) copied.push({ resource, object });
    }
    const homePods: KubeObject[] = [];
    for (const { metadata } of vnodes) {
      homePods.push(...(await all(home.client, Pods, { fieldSelector: `spec.nodeName=${metadata.name}` })));
    }
    return {
      binding,
      deployments,
      services,
      managerBinding,
      vnodes,
      csiNodes,
      homePods,
      copied,
      workerPods,
      policies,
      workerNodes,
      priorityClass,
    };
  } catch (error) {
    throw new Failure(`cannot read what there is: ${messageOf(error)}`, { cause: error });
  }
}

async function all(client: KubeClient, resource: Resource, selection: Selection = {}): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for await (const page of client.pages(resource, { ...selection, limit: PAGE_SIZE })) objects.push(...page.items);
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
