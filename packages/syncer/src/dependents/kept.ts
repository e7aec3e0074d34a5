/** What is kept in memory of ConfigMaps and Secrets, of which clusters have many: never their content. */
import { bareMetadata, type KubeObject } from '@kubeocean/shared/kube';

/** Of home's objects only who they are and which version: clusters have many, and most are nobody's here. */
export function bare({ metadata }: KubeObject): KubeObject {
  return { metadata: bareMetadata(metadata) };
}

export function ours({ metadata }: KubeObject): KubeObject {
  const { labels, annotations } = metadata;
  const kept = bare({ metadata });
  if (labels) kept.metadata.labels = labels;
  if (annotations) kept.metadata.annotations = annotations;
  return kept;
}
