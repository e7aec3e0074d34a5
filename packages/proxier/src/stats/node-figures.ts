/** A vnode's own figures: the sum of its pods'. What else runs on the worker node is its owner's business. Pure. */
import { numberOf, type PodSummary, ScrapeError, seriesOf, sumOf } from '@kubeocean/shared/stats';
import type { Reading } from './sum-counter.ts';

export interface ResourceFigures {
  /** CPU seconds by `namespace/name` of the pod. */
  cpuSeconds: Map<string, Reading>;
  memoryBytes: number;
  /** Milliseconds since 1970 of the newest of them; undefined without any. */
  timestamp: number | undefined;
}

/** The sums over pods of a `/metrics/resource` (series `pod_*`). */
export function resourceFigures(text: string): ResourceFigures {
  const figures: ResourceFigures = { cpuSeconds: new Map(), memoryBytes: 0, timestamp: undefined };
  for (const { metric, labels, value, timestamp } of seriesOf(text)) {
    const number = Number(value);
    if (!Number.isFinite(number)) continue;
    if (metric === 'pod_cpu_usage_seconds_total') {
      const at = timestamp === undefined ? {} : { at: timestamp };
      figures.cpuSeconds.set(`${labels.get('namespace')}/${labels.get('pod')}`, { value: number, ...at });
    } else if (metric === 'pod_memory_working_set_bytes') figures.memoryBytes += number;
    else continue;
    if (timestamp !== undefined) figures.timestamp = Math.max(figures.timestamp ?? timestamp, timestamp);
  }
  return figures;
}

const FAILED = new RegExp(`^${ScrapeError}[ \\t]+(\\S+)`, 'm');

/** Whether the kubelet says that it could not tell what its pods use. An agent of an earlier version does not pass it on. */
export function scrapeFailed(text: string): boolean {
  const value = FAILED.exec(text)?.[1];
  return value !== undefined && Number(value) !== 0;
}

/**
 * The vnode's part of `/metrics/resource`, under the names and help texts of a kubelet
 * (pkg/kubelet/metrics/collectors/resource_metrics.go). Without figures it says that there was an error.
 */
export function nodeExposition(figures?: { cpuSeconds: number; memoryBytes: number; timestamp: number }): string {
  const node = figures && [
    '# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds',
    '# TYPE node_cpu_usage_seconds_total counter',
    `node_cpu_usage_seconds_total ${figures.cpuSeconds} ${figures.timestamp}`,
    '# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes',
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${figures.memoryBytes} ${figures.timestamp}`,
  ];
  return [
    ...(node ?? []),
    `# HELP ${ScrapeError} [STABLE] 1 if there was an error while getting container metrics, 0 otherwise`,
    `# TYPE ${ScrapeError} gauge`,
    `${ScrapeError} ${figures ? 0 : 1}`,
    '',
  ].join('\n');
}

const CPU_SUMS = ['usageNanoCores'] as const;
const MEMORY_SUMS = ['usageBytes', 'workingSetBytes', 'rssBytes', 'pageFaults', 'majorPageFaults'] as const;

/** CPU of the pods of a summary, in nanoseconds by `namespace/name`. */
export function summaryCpu(pods: readonly PodSummary[]): Map<string, Reading> {
  const readings = new Map<string, Reading>();
  for (const { podRef, cpu } of pods) {
    const value = numberOf(cpu?.['usageCoreNanoSeconds']);
    if (value !== undefined) readings.set(`${podRef.namespace}/${podRef.name}`, { value });
  }
  return readings;
}

export interface VnodeFacts {
  name: string;
  /** RFC 3339. */
  createdAt: string;
  memoryBytes: number;
}

/** The node part of `/stats/summary`. */
export function nodeSummary(vnode: VnodeFacts, pods: readonly PodSummary[], cpuNanoseconds: number, now: Date) {
  const memory = sums(
    pods.map((pod) => pod.memory),
    MEMORY_SUMS,
  );
  const time = (part: 'cpu' | 'memory') =>
    pods.reduce((newest, pod) => {
      const at = pod[part]?.['time'];
      return typeof at === 'string' && at > newest ? at : newest;
    }, '') || now.toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    nodeName: vnode.name,
    startTime: vnode.createdAt,
    cpu: {
      time: time('cpu'),
      ...sums(
        pods.map((pod) => pod.cpu),
        CPU_SUMS,
      ),
      usageCoreNanoSeconds: sumOf([cpuNanoseconds]),
    },
    memory: {
      time: time('memory'),
      availableBytes: Math.max(0, vnode.memoryBytes - memory.workingSetBytes),
      ...memory,
    },
  };
}

function sums<K extends string>(
  parts: readonly (Record<string, unknown> | undefined)[],
  fields: readonly K[],
): Record<K, number> {
  return Object.fromEntries(fields.map((field) => [field, sumOf(parts.map((part) => part?.[field]))])) as Record<
    K,
    number
  >;
}
