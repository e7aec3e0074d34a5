/**
 * The part of a kubelet's `/stats/summary` that is read. Everything else in it is carried as it is.
 * https://github.com/kubernetes/kubelet/blob/master/pkg/apis/stats/v1alpha1/types.go
 */
import { parseExactly } from './exact.ts';

export interface Summary {
  node: NodeSummary;
  pods: PodSummary[];
}

export interface NodeSummary {
  nodeName: string;
  [field: string]: unknown;
}

export interface PodSummary {
  podRef: { name: string; namespace: string; uid: string };
  startTime?: string;
  cpu?: Record<string, unknown>;
  memory?: Record<string, unknown>;
  volume?: VolumeSummary[];
  [field: string]: unknown;
}

export interface VolumeSummary {
  name?: string;
  pvcRef?: { name: string; namespace: string };
  [field: string]: unknown;
}

/**
 * Reads a summary. Pods without a whole reference are left out; numbers are those of `parseExactly`.
 * @throws Error when the text is no summary.
 */
export function parseSummary(text: string): Summary {
  const value = parseExactly(text) as Partial<Summary> | null;
  if (typeof value !== 'object' || value === null || typeof value.node !== 'object' || value.node === null) {
    throw new Error('the answer is not a summary of a kubelet');
  }
  const pods = Array.isArray(value.pods) ? value.pods : [];
  return {
    node: value.node,
    pods: pods.filter((pod: Partial<PodSummary> | null) =>
      [pod?.podRef?.name, pod?.podRef?.namespace, pod?.podRef?.uid].every((part) => typeof part === 'string'),
    ),
  };
}
