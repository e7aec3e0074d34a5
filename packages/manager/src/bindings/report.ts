/**
 * Tells on a binding what is known of it: the manager's part of its status, and an event when Ready says something else.
 */
import { type ClusterBinding, ClusterBindings, FieldManager } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  apiVersionOf,
  type Condition,
  type EventRecorder,
  type KubeClient,
  type ReadonlyStore,
} from '@kubeocean/shared/kube';
import { LastWrites } from './last-writes.ts';
import { type Known, readyOf, sameStatus, statusOf } from './status.ts';

export interface ReporterOptions {
  home: KubeClient;
  bindings: ReadonlyStore<ClusterBinding>;
  events: EventRecorder;
  log: Logger;
  now: () => Date;
}

export class Reporter {
  private readonly options: ReporterOptions;
  private readonly written = new LastWrites();
  /**
   * By the binding's UID: what Ready said before a write of which it is not known whether it was taken. When it was, nothing
   * is left to be written, and it is told all the same.
   */
  private readonly untold = new Map<string, Condition | undefined>();

  constructor(options: ReporterOptions) {
    this.options = options;
  }

  /** The binding as the store has it, or as our last write left it when the watch lags behind. */
  newest(stored: ClusterBinding): ClusterBinding {
    return this.written.newest(stored);
  }

  /** Writes the status when it differs, and an event when Ready does. @throws ApiError, ConnectionError */
  async report(binding: ClusterBinding, known: Known): Promise<void> {
    const { events, log, now } = this.options;
    const { name, uid = '' } = binding.metadata;
    const status = statusOf(binding, known, now());
    const before = this.untold.has(uid) ? this.untold.get(uid) : readyOf(binding.status);
    if (!sameStatus(binding.status, status)) {
      this.untold.set(uid, before);
      await this.write(binding, status);
    }
    this.untold.delete(uid);
    const after = readyOf(status);
    if (!after || (before?.reason === after.reason && before?.message === after.message)) return;
    log.info({ binding: name, phase: status.phase, reason: after.reason, why: after.message }, 'binding status');
    events.event(
      subject(binding),
      status.phase === 'Failed' ? 'Warning' : 'Normal',
      after.status === 'True' ? 'Ready' : (after.reason ?? 'NotReady'),
      after.message ?? '',
    );
  }

  forget(bindingUID: string): void {
    this.written.forget(bindingUID);
    this.untold.delete(bindingUID);
  }

  private async write({ metadata }: ClusterBinding, status: ClusterBinding['status']): Promise<void> {
    const { home, bindings } = this.options;
    const { name, uid } = metadata;
    const applied = await home.apply<ClusterBinding>(
      ClusterBindings,
      {
        apiVersion: apiVersionOf(ClusterBindings),
        kind: ClusterBindings.kind,
        metadata: { name, ...(uid && { uid }) },
        status,
      },
      FieldManager.manager,
      { subresource: 'status' },
    );
    this.written.note(bindings.get(name), applied);
  }
}

/** Of events on a binding. */
export function subject(binding: ClusterBinding) {
  return { apiVersion: apiVersionOf(ClusterBindings), kind: ClusterBindings.kind, metadata: binding.metadata };
}
