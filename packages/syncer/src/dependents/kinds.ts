/** The kinds of home's objects that are copied. */
import { ConfigMaps, Secrets } from '@kubeocean/shared/kube';
import type { DependentReference } from './references.ts';

export type Kind = DependentReference['kind'];
export const KINDS: readonly Kind[] = ['configmap', 'secret'];
export const RESOURCES = { configmap: ConfigMaps, secret: Secrets } as const;
