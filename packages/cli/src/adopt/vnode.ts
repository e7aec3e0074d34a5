/** What makes a Node of gocrane/kubeocean a vnode of ours. Pure. */
import { type ClusterBinding, Label, labelValue, providerID } from '@kubeocean/shared/api';
import { isObject, type Json, type KubeObject } from '@kubeocean/shared/kube';
import { Foreign } from './found.ts';

/** What the syncer remembers of what it put on a Node (packages/syncer/src/nodes/plan.ts): what is listed there it takes away. */
const APPLIED = 'kubeocean.io/applied';

/** A JSON merge patch. Labels, annotations and taints that the worker node once brought along become the syncer's to renew. */
export function vnodePatch(vnode: KubeObject, binding: ClusterBinding): Json {
  const { labels = {}, annotations = {}, uid, resourceVersion } = vnode.metadata;
  const { taints = [], providerID: known } = (vnode['spec'] ?? {}) as { taints?: Taint[]; providerID?: string };
  const { capacity = {} } = (vnode['status'] ?? {}) as { capacity?: Record<string, string> };
  const expected = expectedMetadata(annotations[Foreign.expectedMetadata]);
  const copied = Object.entries(expected.labels).filter(
    ([key, value]) => labels[key] === value && !key.startsWith('kubeocean.io/'),
  );
  const applied = {
    labels: Object.fromEntries(copied),
    taints: taints.filter(({ key }) => key.startsWith('kubeocean.io/')).map(({ key, effect }) => `${key}:${effect}`),
    conditions: [],
    resources: Object.keys(capacity).sort(),
  };
  const stale = Object.entries(expected.annotations)
    .filter(([key, value]) => annotations[key] === value && !key.startsWith('kubeocean.io/'))
    .map(([key]) => key);
  const gone = [...stale, ...Foreign.vnodeAnnotations.filter((key) => key in annotations)];
  return {
    metadata: {
      uid,
      resourceVersion,
      labels: {
        [Label.bindingUID]: binding.metadata.uid,
        [Label.clusterBinding]: labelValue(binding.metadata.name),
      },
      annotations: { ...Object.fromEntries(gone.map((key) => [key, null])), [APPLIED]: JSON.stringify(applied) },
    },
    ...(!known && { spec: { providerID: providerOf(vnode, binding.spec.clusterID) } }),
  };
}

interface Taint {
  key: string;
  effect: string;
}

function expectedMetadata(text: string | undefined): Record<'labels' | 'annotations', Record<string, string>> {
  const nothing = { labels: {}, annotations: {} };
  if (text === undefined) return nothing;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    if (!isObject(parsed)) return nothing;
    const strings = (value: unknown) =>
      Object.fromEntries(
        Object.entries(isObject(value) ? value : {}).filter(
          (entry): entry is [string, string] => typeof entry[1] === 'string',
        ),
      );
    return { labels: strings(parsed['labels']), annotations: strings(parsed['annotations']) };
  } catch {
    // Not what it should be: then what is on the Node counts as its users'.
    return nothing;
  }
}

/** The `providerID` that says which worker node a vnode stands for. */
function providerOf(vnode: KubeObject, clusterID: string): string {
  const { labels = {}, annotations = {}, name } = vnode.metadata;
  const inName = name.slice(`vnode-${clusterID}-`.length);
  return providerID(clusterID, annotations[Label.physicalNodeName] ?? labels[Label.physicalNodeName] ?? inName);
}
