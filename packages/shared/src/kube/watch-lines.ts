/** A watch's answer as it comes: lines of JSON, looked at as bytes before any of it is parsed. */
import type { IncomingMessage } from 'node:http';
import { isObject } from './patch.ts';
import type { KubeObject } from './types.ts';

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubeObject;
}

/** @throws Error when it is something else that answers, such as a proxy's page: ended without a line it would look like a watch. */
export function mustBeWatch(response: IncomingMessage): void {
  const { 'content-type': type = JSON_TYPE } = response.headers;
  if (type.startsWith(JSON_TYPE)) return;
  response.destroy();
  throw new Error(`the answer is ${type} and no watch: what answers is no API server`);
}

const JSON_TYPE = 'application/json';

const CHANGE = /^\{"type":"(?:ADDED|MODIFIED|DELETED)"/;
const REVISION = '"resourceVersion":"';

/** Whether the line is an addition, a change or a deletion: not a bookmark, not an error. */
export function isChange(line: Buffer): boolean {
  return CHANGE.test(line.toString('latin1', 0, 20));
}

/**
 * The object's own resourceVersion in the text of a watch event, for Kubernetes' own kinds: their metadata comes before
 * spec and status, with resourceVersion before labels and annotations, so the first occurrence is the right one. (Custom
 * resources have their keys sorted, and a label named resourceVersion would come first.)
 */
export function revisionIn(line: Buffer): string | undefined {
  const start = line.indexOf(REVISION);
  if (start < 0) return undefined;
  const from = start + REVISION.length;
  const end = line.indexOf('"', from);
  if (end < 0) return undefined;
  const revision = line.toString('latin1', from, end);
  return /^\d+$/.test(revision) ? revision : undefined;
}

const MANAGED = ',"managedFields":[';
const END_OF_METADATA = ']},"';

/**
 * The text of a watch event without the object's managedFields, for Kubernetes' own kinds: half of a pod's text, which
 * nobody reads, and as dear to parse as the other half. They are the last field of metadata there, and hold no list but
 * themselves. A quote within a string is escaped, so the first mark cannot stand in a text that somebody chose; the second
 * can be the end of one (a field manager named `x]},`), but then no letter follows, as one does where a field begins.
 * (Custom resources have their keys sorted and may hold anything.)
 */
export function withoutManagedFields(line: Buffer): string {
  const from = line.indexOf(MANAGED);
  let to = from < 0 ? -1 : line.indexOf(END_OF_METADATA, from + MANAGED.length);
  while (to >= 0 && !isLetter(line[to + END_OF_METADATA.length])) to = line.indexOf(END_OF_METADATA, to + 1);
  if (to < 0) return line.toString('utf8');
  return line.toString('utf8', 0, from) + line.toString('utf8', to + 1);
}

/** Names of fields begin with a small one. */
function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 97 && byte <= 122;
}

/**
 * @param ownKind of Kubernetes' own kinds, whose managedFields are left out
 * @throws Error when it is none. A parser would quote what it stumbled over, which may be a piece of a Secret, in a log.
 */
export function eventIn(line: Buffer, ownKind: boolean): WatchEvent {
  const text = ownKind ? withoutManagedFields(line) : line.toString('utf8');
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (isObject(event) && isObject(event['object'])) return event as unknown as WatchEvent;
  throw new Error('a line of the watch is no event in JSON: what answers is no API server, or the line was cut');
}

/** No object is as long (etcd takes 1.5 MiB); a hostile server must not fill our memory. */
const LONGEST_LINE = 16 * 1024 * 1024;

/**
 * Splits a stream at newlines, on bytes. What follows the last newline when the stream ends is dropped: a torn event.
 * @throws Error when a line is longer than 16 MiB.
 */
export async function* lines(stream: IncomingMessage | AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at);
      from = at + 1;
      if (rest.length > 0) {
        rest.push(piece);
        yield Buffer.concat(rest);
        rest = [];
        restBytes = 0;
      } else if (piece.length > 0) {
        yield piece;
      }
    }
    if (from < chunk.length) {
      restBytes += chunk.length - from;
      if (restBytes > LONGEST_LINE) throw new Error(`a line of the watch is longer than ${LONGEST_LINE} bytes`);
      rest.push(chunk.subarray(from));
    }
  }
}
