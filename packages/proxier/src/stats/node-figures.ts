/** A vnode's own figures: the sum of its pods'. What else runs on the worker node is its owner's business. Pure but for the counter. */
import { type PodSummary, seriesOf } from '@kubeocean/shared/stats';

/** A counter of many parts that never falls: parts that are gone keep counting, those not told of keep their last value. */
export interface SumCounter {
  /** The sum, given what is known of parts now and which parts there are at all. */
  add(readings: ReadonlyMap<string, number>, alive: ReadonlySet<string>): number;
}

export function createSumCounter(): SumCounter {
  const last = new Map<string, number>();
  let gone = 0;
  // The same figures added up in another order may come out a hair lower.
  let highest = 0;
  return {
    add(readings, alive) {
      for (const [part, value] of readings) {
        const before = last.get(part) ?? 0;
        // Begun anew under the same name.
        if (value < before) gone += before;
        last.set(part, value);
      }
      for (const [part, value] of last) {
        if (alive.has(part) || readings.has(part)) continue;
        gone += value;
        last.delete(part);
      }
      let sum = gone;
      for (const value of last.values()) sum += value;
      highest = Math.max(highest, sum);
      return highest;
    },
  };
}

export interface ResourceFigures {
  /** CPU seconds by `namespace/name` of the pod. */
  cpuSeconds: Map<string, number>;
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
      figures.cpuSeconds.set(`${labels.get('namespace')}/${labels.get('pod')}`, number);
    } else if (metric === 'pod_memory_working_set_bytes') figures.memoryBytes += number;
    else continue;
    if (timestamp !== undefined) figures.timestamp = Math.max(figures.timestamp ?? timestamp, timestamp);
  }
  return figures;
}

/** The vnode's part of `/metrics/resource`, under the names and help texts of a kubelet (pkg/kubelet/metrics/collectors/resource_metrics.go). */
export function nodeExposition(cpuSeconds: number, memoryBytes: number, timestamp: number): string {
  return [
    '# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds',
    '# TYPE node_cpu_usage_seconds_total counter',
    `node_cpu_usage_seconds_total ${cpuSeconds} ${timestamp}`,
    '# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes',
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${memoryBytes} ${timestamp}`,
    '# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise',
    '# TYPE resource_scrape_error gauge',
    'resource_scrape_error 0',
    '',
  ].join('\n');
}

const CPU_SUMS = ['usageNanoCores'] as const;
const MEMORY_SUMS = ['usageBytes', 'workingSetBytes', 'rssBytes', 'pageFaults', 'majorPageFaults'] as const;

/** CPU of the pods of a summary, in nanoseconds by `namespace/name`. */
export function summaryCpu(pods: readonly PodSummary[]): Map<string, number> {
  return new Map(
    pods.flatMap(({ podRef, cpu }) =>
      typeof cpu?.['usageCoreNanoSeconds'] === 'number'
        ? [[`${podRef.namespace}/${podRef.name}`, cpu['usageCoreNanoSeconds']]]
        : [],
    ),
  );
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
      usageCoreNanoSeconds: cpuNanoseconds,
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
  const sumOf = (field: K) =>
    parts.reduce((sum, part) => sum + (typeof part?.[field] === 'number' ? part[field] : 0), 0);
  return Object.fromEntries(fields.map((field) => [field, sumOf(field)])) as Record<K, number>;
}
