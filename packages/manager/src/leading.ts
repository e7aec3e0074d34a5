/** Who may write now: asked right before every write, because leadership can end while an API server is waited for. */
import type { Leadership } from '@kubeocean/shared/kube';

/** Another manager may lead by now. The work is tried again, and not begun while that is so. */
export class NotLeading extends Error {
  constructor() {
    super('nothing is written now: another manager may lead');
    this.name = 'NotLeading';
  }
}

/** @throws NotLeading */
export function mayWrite(leadership: Leadership): void {
  if (!leadership.isCurrent()) throw new NotLeading();
}
