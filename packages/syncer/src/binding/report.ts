/**
 * What the syncer says on its binding: its own condition types, the counts and the worker's version. All of it goes into
 * one server-side apply of the status, written only when something in it changed. The epoch is not in it (claim/epoch.ts):
 * what an apply repeats would hide that home was put back from a backup.
 */
import { BindingCondition, type ClusterBinding, ClusterBindings, FieldManager } from '@kubeocean/shared/api';
import {
  type Condition,
  deepEqual,
  type Json,
  type KubeClient,
  printable,
  withCondition,
} from '@kubeocean/shared/kube';

/** Condition types of the syncer. Those of a status that are not in here belong to somebody else. */
const OWN: readonly string[] = [
  BindingCondition.claimed,
  BindingCondition.agentReady,
  BindingCondition.deletionGuard,
  BindingCondition.workerReachable,
  BindingCondition.serviceNamespacesUnused,
  BindingCondition.foreignState,
];

export type OwnCondition = Pick<Condition, 'type' | 'status'> & { reason: string; message: string };

export interface BindingFacts {
  nodes?: number;
  pods?: number;
  workerVersion?: string;
  workerUID?: string;
}

export interface BindingReport {
  /** Sets a condition of the syncer; written soon. */
  condition(condition: OwnCondition): void;
  /** Sets other fields of the status; counts are written at most every few seconds. */
  facts(facts: BindingFacts): void;
  /** Writes what has changed now. @throws ApiError, ConnectionError */
  flush(): Promise<void>;
  /** Writes what is left, if that is ours to write, and ends. Never rejects. */
  stop(): Promise<void>;
}

export interface BindingReportOptions {
  home: KubeClient;
  binding: () => ClusterBinding;
  uid: string;
  now: () => Date;
  /**
   * Whether this process leads for certain. One that stood still meanwhile finds everybody silent, and what it says would stay:
   * a successor looks at what it says itself, not at what is written over it.
   */
  mayWrite: () => boolean;
  onError: (error: unknown) => void;
}

/** In characters. What a worker answers has no bound, and one message that is refused (32,768) would keep all of the status. */
const LONGEST_MESSAGE = 2048;
const SOON_MS = 100;
const COUNTS_MS = 3000;
const RETRY_MS = 5000;

/** Conditions and facts start from what the binding shows, so that a restart changes nothing by itself. */
export function createBindingReport(options: BindingReportOptions): BindingReport {
  const { status } = options.binding();
  let conditions = (status?.conditions ?? []).filter(({ type }) => OWN.includes(type));
  let facts: BindingFacts = pick(status ?? {});
  /** What the status says of ours; undefined: that is not known. */
  let written: Json | undefined = { conditions, ...facts };
  let timer: { handle: NodeJS.Timeout; dueAt: number } | undefined;
  let writing: Promise<void> = Promise.resolve();
  let stopped = false;

  function schedule(ms: number): void {
    if (stopped) return;
    const dueAt = performance.now() + ms;
    if (timer && timer.dueAt <= dueAt) return;
    if (timer) clearTimeout(timer.handle);
    const handle = setTimeout(() => {
      timer = undefined;
      flush().catch((error: unknown) => {
        options.onError(error);
        schedule(RETRY_MS);
      });
    }, ms);
    handle.unref();
    timer = { handle, dueAt };
  }

  function flush(): Promise<void> {
    const write = writing.catch(() => undefined).then(apply);
    writing = write;
    return write;
  }

  async function apply(): Promise<void> {
    const desired: Json = { conditions, ...facts };
    if (deepEqual(desired, written)) return;
    if (!options.mayWrite()) return schedule(RETRY_MS);
    // Should the answer get lost, it may have been taken all the same.
    written = undefined;
    const metadata = { name: options.binding().metadata.name, uid: options.uid };
    await options.home.apply(ClusterBindings, { metadata, status: desired }, FieldManager.syncer, {
      subresource: 'status',
      timeoutMs: 10_000,
    });
    written = desired;
  }

  return {
    condition({ message: whole, ...rest }) {
      const next = { ...rest, message: printable(whole.slice(0, LONGEST_MESSAGE)) };
      const generation = options.binding().metadata.generation;
      const full = { ...next, ...(generation !== undefined && { observedGeneration: generation }) };
      const known = conditions.find(({ type }) => type === next.type);
      // A new generation alone is no news.
      if (known && known.status === next.status && known.reason === next.reason && known.message === next.message)
        return;
      conditions = withCondition(conditions, full, options.now());
      schedule(SOON_MS);
    },
    facts(next) {
      const merged = { ...facts, ...next };
      if (deepEqual(merged, facts)) return;
      facts = merged;
      schedule(COUNTS_MS);
    },
    flush,
    async stop() {
      if (timer) clearTimeout(timer.handle);
      stopped = true;
      await flush().catch(options.onError);
    },
  };
}

function pick(status: BindingFacts): BindingFacts {
  const { nodes, pods, workerVersion, workerUID } = status;
  return {
    ...(nodes !== undefined && { nodes }),
    ...(pods !== undefined && { pods }),
    ...(workerVersion !== undefined && { workerVersion }),
    ...(workerUID !== undefined && { workerUID }),
  };
}
