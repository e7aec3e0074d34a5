/**
 * Remembers what was found in each binding's worker cluster, and when to look again: at once when the Secret or the
 * reference to it changed, with back-off while something is wrong, and not at all once the syncer reports by itself.
 * Looking takes seconds when a worker does not answer, so nothing waits for it.
 */
import type { ClusterBinding } from '@kubeocean/shared/api';
import { fixedCredentials, type CredentialSource, type KubeClient, messageOf } from '@kubeocean/shared/kube';
import { BindingProblem } from './problem.ts';
import { accessOf, type KubeconfigSecret } from './validate.ts';
import { checkAgain, checkAgent, checkWorker, type Heartbeat, type WorkerIdentity } from './worker-check.ts';

/** Milliseconds until the next try after the first failure, doubled up to the most. */
const FIRST_RETRY_MS = 2000;
const MOST_RETRY_MS = 30_000;
/** While nobody else reports, at the latest; sooner where less silence counts: a heartbeat must be seen to stand still. */
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
  /** When to ask again, in milliseconds; undefined: when something changes. */
  againInMs?: number;
}

export interface CheckOptions {
  connect: (credentials: CredentialSource) => KubeClient;
  /** Told the name of a binding of which there is news. */
  onNews: (binding: string) => void;
  /** Milliseconds that never go back. */
  monotonic: () => number;
  /** Milliseconds without a heartbeat after which an agent counts as silent. */
  agentStaleMs: number;
}

export class WorkerChecks {
  private readonly options: CheckOptions;
  private readonly entries = new Map<string, Entry>();
  /** Looks under way, by binding. */
  private readonly running = new Map<string, symbol>();

  private readonly lookAgainMs: number;

  constructor(options: CheckOptions) {
    this.options = options;
    this.lookAgainMs = Math.min(LOOK_AGAIN_MS, options.agentStaleMs / 2);
  }

  /**
   * What is known of the binding's worker cluster. Never waits: a look that is due is begun, and its end is told.
   * @param reported whether the binding's syncer reports on the worker, so that nobody else needs to look.
   * @returns undefined while nothing is known by this Secret yet: what another led to says nothing of it.
   */
  current(binding: ClusterBinding, secret: KubeconfigSecret | undefined, reported: boolean): CheckResult | undefined {
    const id = binding.metadata.uid ?? '';
    const key = [secret?.metadata.uid, secret?.metadata.resourceVersion, JSON.stringify(binding.spec.secretRef)].join();
    const known = this.entries.get(id);
    const same = known?.key === key ? known : undefined;
    const now = this.options.monotonic();
    const short = same?.worker?.shortcoming !== undefined;
    const wanted = same?.problem !== undefined || short || !reported;
    if (!this.running.has(id) && (!same || (wanted && now >= same.nextAtMs))) void this.begin(id, key, binding, secret);
    if (!same) return undefined;
    const { problem, worker, nextAtMs } = same;
    const againInMs = wanted && Number.isFinite(nextAtMs) && nextAtMs > now ? nextAtMs - now : undefined;
    return { ...(problem && { problem }), ...(worker && { worker }), ...(againInMs !== undefined && { againInMs }) };
  }

  forget(bindingUID: string): void {
    this.entries.delete(bindingUID);
    this.running.delete(bindingUID);
  }

  private async begin(
    id: string,
    key: string,
    binding: ClusterBinding,
    secret: KubeconfigSecret | undefined,
  ): Promise<void> {
    const run = Symbol(id);
    this.running.set(id, run);
    const before = this.entries.get(id);
    const same = before?.key === key ? before : undefined;
    const entry: Entry = { key, failures: 0, nextAtMs: 0, ...(before?.heartbeat && { heartbeat: before.heartbeat }) };
    try {
      const passed = !same?.problem || same.problem.stage === 'agent' ? same?.worker : undefined;
      await this.look(binding, secret, entry, passed);
    } catch (error) {
      entry.problem =
        error instanceof BindingProblem
          ? error
          : new BindingProblem('worker', 'CheckFailed', `the worker cluster could not be checked: ${messageOf(error)}`);
      entry.failures = (same?.failures ?? 0) + 1;
    }
    if (this.running.get(id) !== run) return;
    this.running.delete(id);
    const backOffMs = Math.min(FIRST_RETRY_MS * 2 ** (entry.failures - 1), MOST_RETRY_MS);
    // A Secret that is wrong stays so until it changes, and its change is told.
    if (entry.problem?.stage === 'secret') entry.nextAtMs = Number.POSITIVE_INFINITY;
    else entry.nextAtMs = this.options.monotonic() + (entry.problem ? backOffMs : this.lookAgainMs);
    this.entries.set(id, entry);
    this.options.onNews(binding.metadata.name);
  }

  /** A worker that passed before is only asked what may have changed. What is short is looked for until it is there. */
  private async look(
    binding: ClusterBinding,
    secret: KubeconfigSecret | undefined,
    entry: Entry,
    passed: WorkerIdentity | undefined,
  ): Promise<void> {
    const client = this.options.connect(fixedCredentials(accessOf(binding, secret)));
    try {
      entry.worker = passed ? await checkAgain(client, binding, passed) : await checkWorker(client, binding);
      const { monotonic, agentStaleMs } = this.options;
      entry.heartbeat = await checkAgent(client, binding, entry.heartbeat, monotonic, agentStaleMs);
    } finally {
      client.transport.close();
    }
  }
}
