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

/** What the server has written since it started. */
export async function readWrites(client: KubeClient): Promise<Writes> {
  const response = await client.transport.stream({
    method: 'GET',
    path: '/metrics',
    headers: { accept: 'text/plain' },
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return parseWrites(Buffer.concat(chunks).toString());
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
