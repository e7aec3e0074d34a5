/** Why the pods of a Deployment do not run, in one sentence that does not change from second to second. Pure. */
import type { KubeObject } from '@kubeocean/shared/kube';

interface PodStatus {
  conditions?: { type: string; status: string; reason?: string; message?: string }[];
  containerStatuses?: {
    name: string;
    ready?: boolean;
    restartCount?: number;
    state?: { waiting?: { reason?: string }; running?: unknown };
    lastState?: { terminated?: { exitCode?: number; reason?: string } };
    image?: string;
  }[];
}

/** @returns undefined when no pod has anything to say. */
export function whyNotRunning(pods: readonly KubeObject[]): string | undefined {
  const sorted = pods
    .filter((pod) => !pod.metadata.deletionTimestamp)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const pod of sorted) {
    const { namespace, name } = pod.metadata;
    const status = (pod['status'] ?? {}) as PodStatus;
    const scheduled = status.conditions?.find((condition) => condition.type === 'PodScheduled');
    if (scheduled?.status === 'False') {
      return `pod ${name} cannot be scheduled: ${scheduled.message ?? scheduled.reason ?? 'no reason given'}`;
    }
    for (const container of status.containerStatuses ?? []) {
      // That it was started anew once, perhaps long ago, is no reason now.
      if (container.ready === true) continue;
      const waiting = container.state?.waiting?.reason;
      const logs = `kubectl -n ${namespace} logs ${name}`;
      if (waiting === 'ErrImagePull' || waiting === 'ImagePullBackOff' || waiting === 'ErrImageNeverPull') {
        return `image ${container.image ?? ''} of pod ${name} cannot be pulled: see that the node can get it, or set another by the chart's values`;
      }
      if (waiting === 'CrashLoopBackOff' || container.lastState?.terminated) {
        const end = container.lastState?.terminated;
        return `pod ${name} ends again and again (exit code ${end?.exitCode ?? 'unknown'}): ${logs} --previous`;
      }
      if (waiting !== undefined && waiting !== 'ContainerCreating' && waiting !== 'PodInitializing') {
        return `pod ${name}: ${waiting}: kubectl -n ${namespace} describe pod ${name}`;
      }
      if (container.state?.running !== undefined && container.ready === false) {
        return `pod ${name} runs but is not ready: ${logs}`;
      }
    }
  }
  return undefined;
}
