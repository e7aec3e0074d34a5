/** How soon a change of a worker node shows on its vnode: from the answer of the patch to the watch event at home. */
import { createReflector, Nodes } from '@kubeocean/shared/kube';
import { cleanup, waitFor } from '../harness/index.ts';
import type { ClosingRig, Vnode } from './rig.ts';

export interface Reaction {
  /** Patches the spec of the worker node. @returns milliseconds until the vnode has, or has no more, all these taints */
  measure(spec: object, taints: readonly string[], there: boolean): Promise<number>;
}

/** Watches the vnode of a node until the file's last test. */
export async function watchReaction(rig: ClosingRig, node: string): Promise<Reaction> {
  const name = rig.vnodeName(node);
  const vnodes = createReflector(rig.home, { resource: Nodes, fieldSelector: `metadata.name=${name}` });
  const over = new AbortController();
  const running = vnodes.run(over.signal);
  cleanup(async () => {
    over.abort();
    await running;
  });
  await waitFor('the vnode', () => vnodes.store.has(name), { timeoutMs: 90_000 });

  function holds(taints: readonly string[], there: boolean): boolean {
    const vnode = vnodes.store.get(name) as Vnode | undefined;
    const keys = (vnode?.spec.taints ?? []).map(({ key }) => key);
    return taints.every((taint) => keys.includes(taint) === there);
  }

  return {
    async measure(spec, taints, there) {
      const seen = Promise.withResolvers<number>();
      const look = () => {
        if (holds(taints, there)) seen.resolve(performance.now());
      };
      const stop = vnodes.store.onChange(look);
      await rig.worker.client.patch(Nodes, '', node, { spec });
      const patched = performance.now();
      look();
      try {
        return Math.max(0, (await seen.promise) - patched);
      } finally {
        stop();
      }
    },
  };
}
