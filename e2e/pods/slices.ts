/** Where home's pods stand behind its Services. */
import { EndpointSlices, type KubeObject } from '@kubeocean/shared/kube';
import { waitFor } from '../harness/index.ts';
import { LONG, type PodRig } from './helpers.ts';

interface Slice extends KubeObject {
  endpoints?: {
    targetRef?: { name: string };
    nodeName?: string;
    hostname?: string;
    addresses: string[];
    conditions: { ready?: boolean };
  }[];
}

/** The pod as the Service has it; undefined when it does not stand there at all. */
export async function behind(rig: PodRig, service: string, pod: string) {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  const { items } = await rig.home.list<Slice>(EndpointSlices, { namespace: rig.homeNamespace, labelSelector });
  return items.flatMap(({ endpoints }) => endpoints ?? []).find(({ targetRef }) => targetRef?.name === pod);
}

/** The controller that fills slices comes after the pod's status. */
export async function readyBehind(rig: PodRig, service: string, pod: string): Promise<void> {
  const isReady = async () => (await behind(rig, service, pod))?.conditions.ready === true;
  await waitFor(`${pod} ready behind ${service}`, isReady, LONG);
}
