/** The processes of gocrane/kubeocean: which are to be stopped, and which still run whatever became of their Deployments. Pure. */
import { Label, proxierName, syncerName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import { Foreign } from './found.ts';

type Labels = Record<string, string>;

interface PodSpec {
  containers?: { volumeMounts?: { mountPath?: string }[] }[];
}

/** What a Deployment selects. */
export function selectorOf(deployment: KubeObject): Labels {
  const { selector } = (deployment['spec'] ?? {}) as { selector?: { matchLabels?: Labels } };
  return selector?.matchLabels ?? {};
}

/** Its manager has the templates of its syncers, which ours has not. */
export function isTheirManager(deployment: KubeObject): boolean {
  const { template } = (deployment['spec'] ?? {}) as { template?: { spec?: PodSpec } };
  return hasTemplates(template?.spec);
}

function hasTemplates(spec: PodSpec | undefined): boolean {
  const mounts = (spec?.containers ?? []).flatMap(({ volumeMounts = [] }) => volumeMounts);
  return mounts.some(({ mountPath }) => mountPath?.startsWith(Foreign.managerMount));
}

/** Its syncer or proxier of the clusterID. Ours select by the component. */
export function isTheirWorkload(deployment: KubeObject, clusterID: string): boolean {
  const { name } = deployment.metadata;
  return namesOf(clusterID).includes(name) && selectorOf(deployment)[Label.component] === undefined;
}

/**
 * Those of the pods that still act for the clusterID, or make others that do. A Deployment that is gone says nothing: its pods
 * end later, and on a node that is cut off much later.
 * @param pods of the namespace of the system
 * @param selectors of Deployments that were stopped
 */
export function runningProcesses(
  pods: readonly KubeObject[],
  clusterID: string,
  selectors: readonly Labels[] = [],
): KubeObject[] {
  return pods.filter((pod) => {
    const { labels = {} } = pod.metadata;
    const { phase } = (pod['status'] ?? {}) as { phase?: string };
    if (phase === 'Succeeded' || phase === 'Failed') return false;
    // Ours, which may be there by the second run.
    if (labels[Label.component] !== undefined || labels[Label.bindingUID] !== undefined) return false;
    return (
      hasTemplates(pod['spec'] as PodSpec | undefined) ||
      selectors.some((selector) => selects(selector, labels)) ||
      namesOf(clusterID).some((name) => isMadeBy(name, pod))
    );
  });
}

function namesOf(clusterID: string): string[] {
  return [syncerName(clusterID), proxierName(clusterID)];
}

function selects(selector: Labels, labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/**
 * Its templates label the pods with the name of their Deployment. Users may have changed the templates: then the ReplicaSet or
 * the pod's own name tells. Both end in parts without a dash, so `syncer-a-…` is not taken for one of `syncer-a-b`.
 */
function isMadeBy(deployment: string, { metadata: { name, labels, ownerReferences = [] } }: KubeObject): boolean {
  const said = labels?.[Foreign.appLabel];
  if (said !== undefined) return said === deployment;
  const owner = ownerReferences.find(({ kind, controller }) => kind === 'ReplicaSet' && controller === true);
  if (owner) return restOf(owner.name, deployment)?.length === 1;
  const rest = restOf(name, deployment);
  return rest !== undefined && rest.length <= 2;
}

/** What follows `prefix-`, by dashes. */
function restOf(name: string, prefix: string): string[] | undefined {
  return name.startsWith(`${prefix}-`) ? name.slice(prefix.length + 1).split('-') : undefined;
}
