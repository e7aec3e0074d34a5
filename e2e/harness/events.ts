/** What clusters tell of an object in events. */
import { Events, type KubeClient, type KubeObject } from '@kubeocean/shared/kube';

interface Event extends KubeObject {
  reason: string;
  message: string;
  count?: number;
}

/** Messages of the events of this reason on an object, each as often as it was told. */
export async function toldOn(on: KubeClient, namespace: string, name: string, reason: string): Promise<string[]> {
  const { items } = await on.list<Event>(Events, { namespace, fieldSelector: `involvedObject.name=${name}` });
  return items
    .filter((event) => event.reason === reason)
    .flatMap(({ message, count = 1 }) => Array.from({ length: count }, () => message));
}
