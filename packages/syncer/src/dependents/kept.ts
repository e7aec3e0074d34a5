/** What is kept in memory of ConfigMaps and Secrets, of which clusters have many: never their content. */
import { Annotation, Label } from '@kubeocean/shared/api';
import { bareMetadata, type KubeObject } from '@kubeocean/shared/kube';

/** Of home's objects only who they are and which version: clusters have many, and most are nobody's here. */
export function bare({ metadata }: KubeObject): KubeObject {
  return { metadata: bareMetadata(metadata) };
}

/** Of copies also what they say of themselves that is read again. */
export function ours({ metadata }: KubeObject): KubeObject {
  const { labels, annotations } = metadata;
  const kept = bare({ metadata });
  if (labels) kept.metadata.labels = labels;
  const said: Record<string, string> = {};
  for (const key of READ) {
    const value = annotations?.[key];
    if (value !== undefined) said[key] = value;
  }
  kept.metadata.annotations = said;
  return kept;
}

/** Copies of one home namespace have the same labels. */
export function familyOf({ metadata }: KubeObject): string {
  return metadata.labels?.[Label.virtualNamespace] ?? '';
}

const READ = [Annotation.sourceVersion, Annotation.tokenRenewAt] as const;
