/**
 * Remembers what was found in each binding's worker cluster, and when to look again: at once when the Secret or the
 * mount namespace changed, with back-off while something is wrong, and hardly ever once the syncer reports by itself.
 */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { fixedCredentials, type CredentialSource, type KubeClient } from '@kubeocean/shared/kube';
import { BindingProblem } from './problem.ts';
import { accessOf, type KubeconfigSecret } from './validate.ts';
import { checkAgent, checkIdentity, checkWorker, type Heartbeat, type WorkerIdentity } from './worker-check.ts';

/** Milliseconds until the next try after the first failure, doubled up to the most. */
const FIRST_RETRY_MS = 2000;
const MOST_RETRY_MS = 30_000;
/** While nobody else reports: often enough to see a heartbeat stand still. */
const LOOK_AGAIN_MS = 15_000;

interface Entry {
  key: string;
  problem?: BindingProblem;
  worker?: WorkerIdentity;
  heartbeat?: Heartbeat;
  failures: number;
  /** On the monotonic clock. */
  nextAtMs: number;
}

export interface CheckResult {
  problem?: BindingProblem;
  worker?: WorkerIdentity;
  /** When to ask again; undefined: only when something changes. */
  againInMs?: number;
}

export interface CheckOptions {
  connect: (credentials: CredentialSource) => KubeClient;
  /** Milliseconds that never go back. */
  monotonic: () => number;
}

export class WorkerChecks {
  private readonly options: CheckOptions;
  private readonly entries = new Map<string, Entry>();

  constructor(options: CheckOptions) {
    this.options = options;
  }

  /** @param reported whether the binding's syncer reports on the worker, so that nobody else needs to look. */
  async run(binding: ClusterBinding, secret: KubeconfigSecret | undefined, reported: boolean): Promise<CheckResult> {
    const id = binding.metadata.uid ?? '';
    const key = [secret?.metadata.uid, secret?.metadata.resourceVersion, JSON.stringify(binding.spec.secretRef)].join();
    const known = this.entries.get(id);
    const same = known?.key === key ? known : undefined;
    if (same && !same.problem && reported) return result(same);
    if (same && this.options.monotonic() < same.nextAtMs) {
      return result(same, same.nextAtMs - this.options.monotonic());
    }
    const entry: Entry = { key, failures: 0, nextAtMs: 0, ...(known?.heartbeat && { heartbeat: known.heartbeat }) };
    try {
      const passed = !same?.problem || same.problem.stage === 'agent' ? same?.worker : undefined;
      await this.look(binding, secret, entry, passed);
    } catch (error) {
      if (!(error instanceof BindingProblem)) throw error;
      entry.problem = error;
      entry.failures = (same?.failures ?? 0) + 1;
    }
    this.entries.set(id, entry);
    // A Secret that is wrong stays so until it changes, and its change is told.
    if (entry.problem?.stage === 'secret') {
      entry.nextAtMs = Number.POSITIVE_INFINITY;
      return result(entry);
    }
    const waitMs = entry.problem ? Math.min(FIRST_RETRY_MS * 2 ** (entry.failures - 1), MOST_RETRY_MS) : LOOK_AGAIN_MS;
    entry.nextAtMs = this.options.monotonic() + waitMs;
    return entry.problem || !reported ? result(entry, waitMs) : result(entry);
  }

  forget(bindingUID: string): void {
    this.entries.delete(bindingUID);
  }

  /** A worker that passed before is only asked whether it still answers. */
  private async look(
    binding: ClusterBinding,
    secret: KubeconfigSecret | undefined,
    entry: Entry,
    passed: WorkerIdentity | undefined,
  ): Promise<void> {
    const client = this.options.connect(fixedCredentials(accessOf(binding, secret)));
    try {
      entry.worker = passed ? await checkIdentity(client, binding) : await checkWorker(client, binding);
      entry.heartbeat = await checkAgent(client, binding, entry.heartbeat, this.options.monotonic());
    } finally {
      client.transport.close();
    }
  }
}

function result(entry: Entry, againInMs?: number): CheckResult {
  return {
    ...(entry.problem && { problem: entry.problem }),
    ...(entry.worker && { worker: entry.worker }),
    ...(againInMs !== undefined && Number.isFinite(againInMs) && { againInMs }),
  };
}
