/** What a user is told of a pod at home: its events, its STATUS, why it waits. */
import { Events, type KubeObject } from '@kubeocean/shared/kube';
import { expect } from 'vitest';
import { kubectl, waitFor } from '../harness/index.ts';
import { LONG, type Pod, type PodRig } from './helpers.ts';

export interface HomeEvent extends KubeObject {
  type: string;
  reason: string;
  message: string;
  firstTimestamp: string;
  count?: number;
  source?: { component?: string; host?: string };
  reportingComponent?: string;
  involvedObject: { name: string; fieldPath?: string };
}

/** Events on a home pod. */
export async function eventsOn(rig: PodRig, name: string): Promise<HomeEvent[]> {
  const fieldSelector = `involvedObject.name=${name}`;
  return (await rig.home.list<HomeEvent>(Events, { namespace: rig.homeNamespace, fieldSelector })).items;
}

/** Waits for an event with this reason whose message matches. */
export function eventOf(rig: PodRig, name: string, reason: string, matches: RegExp | string): Promise<HomeEvent> {
  return waitFor(
    `event ${reason} on ${name}`,
    async () => {
      const events = await eventsOn(rig, name);
      const found = events.find(
        (each) =>
          each.reason === reason &&
          (typeof matches === 'string' ? each.message.includes(matches) : matches.test(each.message)),
      );
      if (found) return found;
      throw new Error(events.map((each) => `${each.reason}: ${each.message}`).join('\n'));
    },
    LONG,
  );
}

/** Nothing of the worker's names is in what home shows. */
export async function expectHomeWords(rig: PodRig, name: string): Promise<void> {
  const { metadata } = await rig.inWorker(name);
  const { status } = await rig.atHome(name);
  const texts = [...(await eventsOn(rig, name)).map(({ message }) => message), JSON.stringify(status)];
  // Of each text only messages are ours to translate: container IDs and the like are no names.
  for (const text of texts) {
    expect(text).not.toContain(metadata.name);
    expect(text).not.toContain(rig.workerName('later', 'configmap'));
  }
}

/** What `kubectl get pod` shows in its column STATUS. */
export async function statusColumn(rig: PodRig, name: string): Promise<string | undefined> {
  const { stdout } = await kubectl('computing', ['-n', rig.homeNamespace, 'get', 'pod', name, '--no-headers']);
  return stdout.split(/\s+/)[2];
}

export interface Waiting extends Pod {
  status?: Pod['status'] & { containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[] };
}

/** Why the first container waits. */
export function waiting(pod: Waiting): { reason?: string; message?: string } | undefined {
  return pod.status?.containerStatuses?.[0]?.state?.waiting;
}
