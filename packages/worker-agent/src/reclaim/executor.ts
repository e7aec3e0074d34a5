/** Carries out the steps of a taking back, a pod at a time, again and again until the plan no longer asks for them. */
import { Finalizer } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  ApiError,
  type EventRecorder,
  isConflict,
  isNotFound,
  isRarer,
  type KubeClient,
  type Leadership,
  mayBeDone,
  messageOf,
  type Outcome,
  Pods,
  withoutFinalizer,
  WorkQueue,
} from '@kubeocean/shared/kube';
import { Explainer } from './explainer.ts';
import type { PodStep } from './plan.ts';

/** Milliseconds until a pod that a disruption budget keeps is tried again; doubled up to the last. */
const REFUSED_MS = { first: 1000, last: 15_000 };
/** Milliseconds until a step is looked at again that came up while our leadership was not sure. */
const NOT_LEADING_MS = 1000;
/** Milliseconds after which a step that took effect, as the server said, is due again if the plan still has it. */
const DONE_MS = 10_000;
/** Of which those of one tenant have three in four. */
const WORKERS = 24;
/** Steps that end no pod. */
const WORDS_ONLY: ReadonlySet<PodStep['kind']> = new Set(['explain', 'retract']);
/** What is told on a pod that a step has ended: type, reason and the first words. */
const ENDED: Partial<Record<PodStep['kind'], ['Normal' | 'Warning', string, string]>> = {
  evict: ['Normal', 'Reclaimed', 'Evicted'],
  delete: ['Warning', 'ReclaimDeadline', 'Deleted at the deadline'],
  expel: ['Warning', 'NotLent', 'Deleted'],
  exceed: ['Warning', 'LeaseExceeded', 'Deleted'],
  stray: ['Warning', 'NotLent', 'Deleted'],
  unfollow: ['Normal', 'NotFollowed', 'Removed'],
};
/** Failures in a row, some four seconds, after which the owner is told on the pod what keeps it. */
const TOLD_AFTER = 4;

export type StepResult = 'done' | 'refused' | 'failed';

export interface ReclaimerOptions {
  client: KubeClient;
  events: EventRecorder;
  log: Logger;
  leadership: Leadership;
  now(): Date;
  observe(kind: PodStep['kind'], result: StepResult): void;
}

export class Reclaimer {
  private readonly options: ReclaimerOptions;
  private readonly queue: WorkQueue;
  private readonly explainer: Explainer;
  private steps = new Map<string, PodStep>();
  /** How often in a row a pod's eviction was refused. */
  private readonly refusals = new Map<string, number>();
  /** Steps of which it is not known whether they ended their pod, by UID: the plan says so when it has none for it any more. */
  private readonly unanswered = new Map<string, PodStep>();

  constructor(options: ReclaimerOptions) {
    this.options = options;
    this.explainer = new Explainer({ ...options, onFailure: () => options.observe('explain', 'failed') });
    this.queue = new WorkQueue((uid) => this.work(uid), {
      workers: WORKERS,
      baseDelayMs: 500,
      maxDelayMs: REFUSED_MS.last,
      // One with thousands of pods, or whose pods a slow webhook guards, must not put off the end of another's leases.
      ownerOf: (uid) => this.steps.get(uid)?.namespace ?? '',
      onError: (uid, error, failures) => this.failed(uid, error, failures),
    });
    this.queue.start();
  }

  /** Takes the plan of now in place of the one before. Steps that are new are begun at once. */
  take(steps: Map<string, PodStep>): void {
    const before = this.steps;
    this.steps = steps;
    this.explainer.keep(steps);
    for (const uid of this.refusals.keys()) if (!steps.has(uid)) this.refusals.delete(uid);
    for (const [uid, step] of this.unanswered) {
      const kind = steps.get(uid)?.kind;
      if (kind !== undefined && ENDED[kind]) continue;
      this.unanswered.delete(uid);
      if (kind !== 'retract') this.tellEnded(step);
    }
    for (const [uid, { kind }] of steps) if (before.get(uid)?.kind !== kind) this.queue.add(uid);
  }

  stop(): Promise<void> {
    this.steps = new Map();
    return this.queue.stop();
  }

  private async work(uid: string): Promise<Outcome> {
    const step = this.steps.get(uid);
    if (!step) return undefined;
    // A renewal that is late often comes yet, and the plan tells a step only once.
    if (!this.options.leadership.isCurrent()) return { againInMs: NOT_LEADING_MS };
    try {
      if (!(await this.carryOut(step))) return { againInMs: NOT_LEADING_MS };
    } catch (error) {
      // Another pod has its name by now, or it changed while we asked: the watch tells, and the plan decides anew.
      if (isNotFound(error)) return { againInMs: DONE_MS };
      if (isConflict(error)) return { againInMs: REFUSED_MS.first };
      // A server that has too much to do answers 429 as well, in plain text and whatever was asked.
      if (!(error instanceof ApiError) || error.code !== 429 || error.status.kind !== 'Status') throw error;
      return { againInMs: this.refused(step, error) };
    }
    this.refusals.delete(uid);
    this.options.observe(step.kind, 'done');
    const { kind, namespace, name, node, message } = step;
    this.options.log.info(
      { pod: `${namespace}/${name}`, node, step: kind, why: message },
      kind === 'retract' ? 'lent pod stays' : 'lent pod taken back',
    );
    return { againInMs: DONE_MS };
  }

  /** @returns false when it was not begun, because it was not due any more after the pod was told why it goes */
  private async carryOut(step: PodStep): Promise<boolean> {
    const { kind, namespace, name, uid, graceSeconds } = step;
    const { client, leadership } = this.options;
    const grace = graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds };
    const options = { signal: leadership.signal, retry: false };
    if (kind === 'expel') {
      await this.end(step, client.delete(Pods, namespace, name, { uid, ...grace, ...options }));
    } else if (kind === 'explain') {
      await this.explainer.explain(step);
    } else if (kind === 'retract') {
      await this.explainer.retract(step);
    } else if (kind === 'unfollow') {
      // Deleted first: one that lost its finalizer and was not deleted would be there for ever, and its record with it.
      await client.delete(Pods, namespace, name, { uid, ...options });
      const metadata = withoutFinalizer(uid, Finalizer.homeSync);
      await this.end(step, client.patch(Pods, namespace, name, { metadata }, { type: 'strategic', ...options }));
    } else if (kind === 'shorten') {
      await client.delete(Pods, namespace, name, { uid, ...grace, ...options });
    } else {
      // A pod that goes must say why: home shows it, and its controller does not count it as a failure of its own.
      await this.explainer.tryToExplain(step);
      if (!this.isDue(step)) return false;
      if (kind === 'evict') {
        const eviction = {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { namespace, name },
          deleteOptions: { preconditions: { uid }, ...grace },
        };
        await this.end(step, client.create(Pods, eviction, { subresource: 'eviction', ...options }));
        // The Eviction API puts its own words in the place of ours.
        await this.explainer.tryToExplain(step, true);
      } else {
        await this.end(step, client.delete(Pods, namespace, name, { uid, ...grace, ...options }));
      }
    }
    return true;
  }

  /** Tells on the pod that it ends when the call that ends it was taken. */
  private async end(step: PodStep, call: Promise<unknown>): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (mayBeDone(error)) this.unanswered.set(step.uid, step);
      // Of a pod that is gone an earlier try may be the cause.
      else if (!isNotFound(error) && !isConflict(error)) this.unanswered.delete(step.uid);
      throw error;
    }
    this.unanswered.delete(step.uid);
    this.tellEnded(step);
  }

  private tellEnded(step: PodStep): void {
    const [type, reason, words] = ENDED[step.kind] ?? [];
    if (type && reason) this.options.events.event(subjectOf(step), type, reason, `${words}: ${step.message}`);
  }

  /** Whether we lead, and the plan, which may have become another while the pod was told why it goes, still has the step. */
  private isDue({ uid, kind }: PodStep): boolean {
    return this.options.leadership.isCurrent() && this.steps.get(uid)?.kind === kind;
  }

  /** @returns milliseconds until the next try */
  private refused(step: PodStep, error: ApiError): number {
    const before = this.refusals.get(step.uid) ?? 0;
    this.refusals.set(step.uid, before + 1);
    this.options.observe(step.kind, 'refused');
    if (before === 0) {
      this.tellBlocked(step, error);
      const { namespace, name, node } = step;
      this.options.log.info({ pod: `${namespace}/${name}`, node, answer: error.message }, 'eviction refused for now');
    }
    return Math.min(REFUSED_MS.first * 2 ** before, REFUSED_MS.last);
  }

  private tellBlocked(step: PodStep, error: ApiError): void {
    const until = step.kind === 'evict' && step.deadline !== undefined ? ` until ${step.deadline}, then deleted` : '';
    this.options.events.event(subjectOf(step), 'Warning', 'ReclaimBlocked', `${error.message}; tried again${until}`);
  }

  private failed(uid: string, error: unknown, failures: number): void {
    const step = this.steps.get(uid);
    if (!step || this.options.leadership.signal.aborted) return;
    this.options.observe(step.kind, 'failed');
    const { namespace, name, kind } = step;
    // A webhook that hangs keeps thousands of pods, each of which is tried every few seconds.
    this.options.log[isRarer(failures) ? 'warn' : 'debug'](
      { pod: `${namespace}/${name}`, step: kind, failures, error: messageOf(error) },
      'a step failed',
    );
    // Such as a webhook's refusal, or two disruption budgets that cover the pod: it stays, and its owner asks why.
    if (failures === TOLD_AFTER && !WORDS_ONLY.has(kind) && error instanceof ApiError) this.tellBlocked(step, error);
  }
}

function subjectOf({ namespace, name, uid }: PodStep) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, uid } };
}
