/**
 * An event of the worker about a worker pod → an event of home about its home pod. Pure. Untrusted input: only short,
 * printable texts are taken over, in home's names.
 */
import { type Json, type KubeObject, printable } from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import type { Pod } from '../types.ts';
import type { Words } from '../status/words.ts';

/** core/v1 Event as far as it is read here; newer reporters fill `eventTime` and `series` instead of counts. */
export interface WorkerEvent extends KubeObject {
  involvedObject?: { kind?: string; namespace?: string; name?: string; uid?: string; fieldPath?: string };
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  series?: { count?: number; lastObservedTime?: string };
  source?: { component?: string };
  reportingComponent?: string;
}

const MAX_MESSAGE = 1024;
const MAX_COUNT = 1_000_000;
const WORD = /^[A-Za-z][A-Za-z0-9]{0,127}$/;
const COMPONENT = /^[a-z0-9]([-a-z0-9./]{0,61}[a-z0-9])?$/;
const FIELD_PATH = /^spec\.(containers|initContainers|ephemeralContainers)\{[-a-z0-9]{1,63}\}$/;
/** Of the worker's scheduler: the syncer tells of it in words of its own, and home's scheduler has had its say. */
const OWN_WORDS: readonly string[] = ['FailedScheduling', 'Scheduled'];

/** What the store keeps of an event: they are many, and long. */
export function shortened(event: WorkerEvent): WorkerEvent | undefined {
  const { involvedObject, type, reason, message = '', metadata } = event;
  if (involvedObject?.kind !== 'Pod' || !involvedObject.uid || !involvedObject.name) return undefined;
  if (!reason || !WORD.test(reason) || OWN_WORDS.includes(reason)) return undefined;
  const { name, uid = '', namespace = '', resourceVersion = '' } = metadata;
  const component = event.source?.component || event.reportingComponent || '';
  return {
    metadata: { name, namespace, uid, resourceVersion },
    involvedObject: {
      name: involvedObject.name,
      uid: involvedObject.uid,
      ...(FIELD_PATH.test(involvedObject.fieldPath ?? '') && { fieldPath: involvedObject.fieldPath ?? '' }),
    },
    type: type === 'Warning' ? 'Warning' : 'Normal',
    reason,
    message: message.slice(0, MAX_MESSAGE),
    count: Math.min(MAX_COUNT, Math.max(1, event.series?.count ?? event.count ?? 1)),
    firstTimestamp: event.firstTimestamp ?? event.eventTime ?? null,
    lastTimestamp: event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? null,
    source: { component: COMPONENT.test(component) ? component : 'kubelet' },
  };
}

/** When it was last seen, in milliseconds since 1970; 0 when it does not say. */
export function lastSeen(event: WorkerEvent): number {
  return Date.parse(event.lastTimestamp ?? '') || 0;
}

/**
 * @param event as {@link shortened} gave it
 * @param name of the home event: the same for the same worker event, so that a restart makes no second one
 */
export function toHomeEvent(
  event: WorkerEvent,
  home: Pod,
  name: string,
  words: Words,
  reporter: { component: string; instance: string },
  now: Date,
): KubeObject & { metadata: { name: string; namespace: string } } {
  const { namespace = '', uid } = home.metadata;
  const message = printable(words(event.message ?? '')).slice(0, MAX_MESSAGE);
  return {
    metadata: { name, namespace },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      name: home.metadata.name,
      ...(uid && { uid }),
      ...(event.involvedObject?.fieldPath && { fieldPath: event.involvedObject.fieldPath }),
    },
    type: event.type,
    reason: event.reason,
    message,
    source: { component: event.source?.component, host: home.spec.nodeName },
    reportingComponent: reporter.component,
    reportingInstance: reporter.instance,
    ...timesOf(event, now),
  };
}

/** How often and when, for a new event and for one that is there. */
export function timesOf(event: WorkerEvent, now: Date): Json {
  const last = notAfter(event.lastTimestamp, now);
  return { count: event.count, firstTimestamp: notAfter(event.firstTimestamp, now) ?? last, lastTimestamp: last };
}

/** The worker's clock is not home's: nothing has happened in the future. */
function notAfter(time: string | null | undefined, now: Date): string {
  const at = Date.parse(time ?? '');
  const kept = Number.isNaN(at) ? now : new Date(Math.min(at, now.getTime()));
  return rfc3339(kept);
}
