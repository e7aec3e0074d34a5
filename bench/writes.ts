/**
 * Writes that an API server has answered, from its own metric `apiserver_request_total`: by verb, resource and
 * subresource, whoever sent them. Leases and Events are counted apart: they are not per pod.
 */
import type { KubeClient } from '@kubeocean/shared/kube';

/** Successful writes by `VERB resource[/subresource]`. */
export type Writes = Map<string, number>;

const LINE = /^apiserver_request_total\{([^}]*)\} (\S+)$/;
const WRITING = ['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE', 'DELETECOLLECTION'];
/** Questions in the shape of writes: nothing is stored. */
const QUESTIONS = ['tokenreviews', 'subjectaccessreviews', 'selfsubjectaccessreviews', 'selfsubjectreviews'];

/** Reads the text of `/metrics`. Refused writes are counted under `refused`. */
export function parseWrites(text: string): Writes {
  const writes: Writes = new Map();
  let from = text.indexOf('\napiserver_request_total{') + 1;
  while (from > 0 && text.startsWith('apiserver_request_total{', from)) {
    const end = text.indexOf('\n', from);
    const found = LINE.exec(text.slice(from, end < 0 ? undefined : end));
    from = end < 0 ? -1 : end + 1;
    if (!found) continue;
    const labels = Object.fromEntries(
      [...(found[1] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value] as const),
    );
    const { verb = '', resource = '', subresource = '', code = '' } = labels;
    if (!WRITING.includes(verb) || QUESTIONS.includes(resource)) continue;
    const what = `${verb} ${resource}${subresource ? `/${subresource}` : ''}`;
    const key = code.startsWith('2') ? what : `refused ${code} ${what}`;
    writes.set(key, (writes.get(key) ?? 0) + Number(found[2]));
  }
  return writes;
}

/** One look at an API server. */
export interface Reading {
  /** What it has written since it started. */
  writes: Writes;
  /** When it started, in seconds since 1970; undefined when it does not say. */
  started: number | undefined;
}

/** Reads the text of `/metrics`. */
export function parseReading(text: string): Reading {
  const started = Number(/^process_start_time_seconds (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
  return { writes: parseWrites(text), started: Number.isFinite(started) ? started : undefined };
}

/** Reads an API server's metrics. */
async function readMetrics(client: KubeClient): Promise<Reading> {
  const response = await client.transport.stream({
    method: 'GET',
    path: '/metrics',
    headers: { accept: 'text/plain' },
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return parseReading(Buffer.concat(chunks).toString());
}

/** One look at both API servers. */
export interface Readings {
  computing: Reading;
  worker: Reading;
}

export async function readBoth(sides: { computing: KubeClient; worker: KubeClient }): Promise<Readings> {
  const [computing, worker] = await Promise.all([readMetrics(sides.computing), readMetrics(sides.worker)]);
  return { computing, worker };
}

const SIDES = ['computing', 'worker'] as const;

/** Sides whose API server is another process than before, or began to count anew: differences tell nothing of them. */
export function restartedSides(before: Readings, now: Readings): string[] {
  return SIDES.filter((side) => before[side].started !== now[side].started);
}

/** What was written between two looks, by `computing: VERB resource` and `worker: ...`. @throws Error when one restarted */
export function writtenBetween(before: Readings, now: Readings): Writes {
  const [restarted] = restartedSides(before, now);
  if (restarted) throw new Error(`the API server of the ${restarted} cluster restarted meanwhile: its counts are lost`);
  const all: Writes = new Map();
  for (const side of SIDES) {
    for (const [what, count] of difference(before[side].writes, now[side].writes)) all.set(`${side}: ${what}`, count);
  }
  return all;
}

/** What came between two readings; nothing that stayed. */
export function difference(before: Writes, after: Writes): Writes {
  const result: Writes = new Map();
  for (const [key, count] of after) {
    const more = count - (before.get(key) ?? 0);
    if (more > 0) result.set(key, more);
  }
  return result;
}

/** Sum of the writes, without refused ones, Leases, Events and those that `without` names. */
export function total(writes: Writes, without: readonly string[] = []): number {
  let sum = 0;
  for (const [key, count] of writes) {
    if (key.startsWith('refused') || / (leases|events)$/.test(key) || without.includes(key)) continue;
    sum += count;
  }
  return sum;
}
