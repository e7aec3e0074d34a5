/**
 * Bindings as our own last write left them, for as long as the watch lags behind it: two writes of one status, and two
 * events about it, would be the price of trusting the store at once.
 */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { isOlder } from '@kubeocean/shared/kube';

export class LastWrites {
  /** By the binding's UID: what the write gave back, and the revision that the store had then. */
  private readonly known = new Map<string, { from: string; binding: ClusterBinding }>();

  /**
   * Notes what a write gave back.
   * @param stored what the store has now. The watch may be faster than the answer and have told already of what others
   * wrote after us: then nothing is noted.
   */
  note(stored: ClusterBinding | undefined, binding: ClusterBinding): void {
    const uid = binding.metadata.uid ?? '';
    const from = stored?.metadata.uid === uid ? stored.metadata.resourceVersion : undefined;
    if (from && isOlder(from, binding.metadata.resourceVersion ?? '')) this.known.set(uid, { from, binding });
    else this.known.delete(uid);
  }

  /** The newer of what the store has and what our last write gave back. */
  newest(stored: ClusterBinding): ClusterBinding {
    const { uid = '', resourceVersion = '' } = stored.metadata;
    const known = this.known.get(uid);
    if (!known) return stored;
    const isBehind = isOlder(resourceVersion, known.binding.metadata.resourceVersion ?? '');
    // Older than it was when we wrote: the cluster was put back from a backup, and our write went with it.
    const wentBack = isOlder(resourceVersion, known.from);
    if (isBehind && !wentBack) return known.binding;
    this.known.delete(uid);
    return stored;
  }

  forget(bindingUID: string): void {
    this.known.delete(bindingUID);
  }
}
