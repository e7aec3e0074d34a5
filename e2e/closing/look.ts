/** A sign that an agent has looked at its cluster since its clock was set. */
import { uniqueName } from '../harness/index.ts';
import type { Rig } from '../worker-agent/rig.ts';

/**
 * Waits until the agent has looked again: it deletes a pod that nobody lent, which is there from now on. What it does to
 * other pods at the time that its clock shows now, it begins in the same look.
 */
export async function agentLooked(rig: Rig, node: string): Promise<void> {
  const marker = uniqueName('marker');
  await rig.createPod(marker, { node, labels: {} });
  await rig.gone(marker);
}
