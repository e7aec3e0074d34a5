/**
 * Holds the binding's claim in the worker: makes it, renews it every 10 s, and says on the binding when it is somebody
 * else's, or of another epoch. Nothing may be written to the worker unless {@link ClaimKeeper.held}.
 */
import { randomBytes } from 'node:crypto';
import {
  Annotation,
  BindingCondition,
  ChartName,
  claimName,
  type ClusterBinding,
  Seconds,
} from '@kubeocean/shared/api';
import { createFailureLog } from '@kubeocean/shared/daemon';
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type Lease,
  Leases,
  mergePatch,
  type Json,
  messageOf,
  sleep,
  unlessMissing,
} from '@kubeocean/shared/kube';
import { bindingSubject } from '../binding/subject.ts';
import type { SyncerContext } from '../context.ts';
import { createComplaints } from './complaints.ts';
import { judgeWorker, type Stranger, workerUIDOf } from './worker-identity.ts';
import { clusterUID, currentBinding, dropApproval, epochsOf, keepEpochs, nextStep } from './epoch.ts';
import { claimLease, type Claimant, isStillOurs, judgeClaim } from './judge.ts';

export interface ClaimKeeper {
  /** Whether the last look at the claim found it ours. A worker that does not answer changes nothing. */
  readonly held: boolean;
  /** Why it is not, as in the condition. */
  readonly refusal: string | undefined;
  /**
   * Resolves when this is the worker that we know: the claim is held, or its owner took it back, or we unbind and it is
   * gone. Before, nothing that the worker has or lacks is believed.
   */
  readonly firstKnown: Promise<void>;
  /**
   * Asks the worker whether the claim there is ours at this moment. What the worker says it has not got counts only then: it
   * may be another cluster since the last turn, or one that was restored. Callers at the same time share one answer.
   * @throws ApiError, ConnectionError
   */
  confirm(): Promise<boolean>;
  /** Look and renew now rather than at the next turn. */
  nudge(): void;
  run(signal: AbortSignal): Promise<void>;
  /** Deletes the claim, when it is ours. For unbinding. @throws ApiError, ConnectionError */
  release(): Promise<void>;
}

export interface ClaimKeeperOptions {
  /** Told of each turn: undefined when the worker answered as it should. */
  onTurn: (error: unknown) => void;
  /** While this says true, a claim that is gone is not made again. */
  releasing: () => boolean;
  /** This leadership is over, whatever the Lease by which we lead says: start anew. */
  onSuperseded: (error: Error) => void;
  /** UID of the worker cluster that the watches lead to, as far as they have told. */
  watched: () => string | undefined;
}

/** The computing cluster did not answer, which says nothing about the worker. */
class HomeSilent extends Error {}

const CALL = { timeoutMs: 8000, retry: false } as const;
/** So long, in milliseconds, an answer to {@link ClaimKeeper.confirm} stands for those who ask next. */
const CONFIRMED_MS = 500;
/** Turns between two looks at whether the computing cluster is still the same one: a minute. */
const TURNS_PER_IDENTITY = 6;

export function createClaimKeeper(context: SyncerContext, options: ClaimKeeperOptions): ClaimKeeper {
  const { worker, report, log, mountNamespace } = context;
  const name = claimName(context.bindingName);
  const complaints = createComplaints(context, `${mountNamespace}/${name}`);
  const first = Promise.withResolvers<void>();
  const tellFailure = createFailureLog(log);
  let held = false;
  let refusal: string | undefined;
  let known: Lease | undefined;
  /** The epoch of this leadership. */
  let own: string | undefined;
  let turns = 0;
  let identified = false;
  let wake = Promise.withResolvers<void>();
  let confirming: { at: number; answer: Promise<boolean> } | undefined;
  let isOver = false;

  function superseded(error: Error): void {
    isOver = true;
    options.onSuperseded(error);
  }

  async function turn(): Promise<void> {
    if (isOver) return;
    const lease = await leaseNow(name);
    options.onTurn(undefined);
    const binding = await atHome(currentBinding(context.home, context.bindingName));
    if (binding.metadata.uid !== context.bindingUID) return;
    if (turns++ % TURNS_PER_IDENTITY === 0 && (await atHome(clusterUID(context.home))) !== context.homeUID) {
      return superseded(new Error('the computing cluster is another one by now (kube-system has a new UID)'));
    }
    const stranger = await strange(binding, lease !== undefined);
    if (isOver) return;
    if (stranger) return refuse(stranger.reason, stranger.message);
    const verdict = judgeClaim(lease, claimantOf(binding));
    if (verdict.kind === 'refused') return refuse(verdict.reason, verdict.message);
    if (options.releasing() && verdict.kind === 'create') {
      // Unbinding, and the claim is gone already: nobody else has the name, and what is left of ours may be cleaned up.
      held = true;
      refusal = undefined;
      return first.resolve();
    }
    if (!context.leadership.isCurrent()) return;
    await hold(lease, binding, verdict.kind === 'ours' ? verdict.adoptEpoch : undefined);
  }

  async function isOursNow(): Promise<boolean> {
    const verdict = judgeClaim(await leaseNow(name), claimantOf(context.binding()));
    const ours = isStillOurs(verdict, { held, refusal, releasing: options.releasing() });
    if (!ours) wake.resolve();
    return ours;
  }

  function leaseNow(lease: string): Promise<Lease | undefined> {
    return unlessMissing(worker.get<Lease>(Leases, mountNamespace, lease, CALL));
  }

  /** Looked at until the agent has said which cluster this is, and when the claim is gone. Otherwise heartbeats tell. */
  async function strange(binding: ClusterBinding, claimed: boolean): Promise<Stranger | undefined> {
    if (identified && claimed) return undefined;
    const said = workerUIDOf(await leaseNow(ChartName.agent));
    const stranger = judgeWorker(binding, said, claimed);
    if (stranger || said === undefined) return stranger;
    const watched = options.watched();
    if (watched !== undefined && watched !== said) {
      // Watches go on for minutes at an address that no call goes to any more: what they tell is of the cluster before.
      superseded(
        new Error(`the worker cluster is another one by now (UID ${said}), and the watches lead to ${watched}`),
      );
      return undefined;
    }
    identified = true;
    report.facts({ workerUID: said });
    return undefined;
  }

  /** @param approved the worker's epoch, when the administrator approved it over home's */
  async function hold(lease: Lease | undefined, seen: ClusterBinding, approved: string | undefined): Promise<void> {
    let binding = seen;
    if (approved !== undefined) {
      binding = await atHome(keepEpochs(context.home, binding, { epoch: approved, previousEpoch: undefined }));
      log.warn({ epoch: approved }, 'the epoch of the worker was approved and is taken over');
      own = undefined;
    }
    const theirs = lease?.metadata.annotations?.[Annotation.epoch];
    const step = nextStep(own, epochsOf(binding), theirs);
    if (step === 'superseded') {
      return superseded(new Error('another syncer has raised the epoch of this binding since'));
    }
    if (step === 'raise') {
      if (binding.metadata.annotations?.[Annotation.epoch] !== undefined) {
        binding = await atHome(dropApproval(context.home, binding));
      }
      // Kept at home first: a claim with an epoch that home does not know would look like a restored home.
      const next = randomBytes(8).toString('hex');
      binding = await atHome(keepEpochs(context.home, binding, { epoch: next, previousEpoch: theirs }));
      own = next;
    }
    const epoch = own as string;
    // Home may have taken long to answer, and another leads by now.
    if (!context.leadership.isCurrent()) return;
    await write(lease, claimLease(claimantOf(binding), epoch, context.now()));
    accept();
    if (epochsOf(binding).previousEpoch !== undefined) {
      await atHome(keepEpochs(context.home, binding, { epoch, previousEpoch: undefined }));
    }
  }

  function claimantOf(binding: ClusterBinding): Claimant {
    return { binding, bindingUID: context.bindingUID, homeUID: context.homeUID, ...epochsOf(binding) };
  }

  async function write(lease: Lease | undefined, desired: Lease): Promise<void> {
    if (lease) {
      const patch = mergePatch(lease, desired) ?? {};
      const guard = { uid: lease.metadata.uid, resourceVersion: lease.metadata.resourceVersion };
      const metadata = { ...(patch['metadata'] as Json | undefined), ...guard };
      known = await worker.patch<Lease>(Leases, mountNamespace, name, { ...patch, metadata }, CALL);
    } else {
      const spec = { ...desired.spec, acquireTime: desired.spec?.renewTime };
      known = await worker.create<Lease>(Leases, { ...desired, spec }, CALL);
      log.info({ claim: `${mountNamespace}/${name}` }, 'claim made');
    }
  }

  async function atHome<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (isConflict(error)) throw error;
      throw new HomeSilent(messageOf(error), { cause: error });
    }
  }

  function accept(): void {
    if (!held) log.info({ claim: `${mountNamespace}/${name}` }, 'claim held');
    held = true;
    refusal = undefined;
    first.resolve();
    report.condition({
      type: BindingCondition.claimed,
      status: 'True',
      reason: 'ClaimHeld',
      message: `the worker cluster keeps the name "${context.bindingName}" for this binding`,
    });
  }

  function refuse(reason: string, message: string): void {
    if (refusal !== reason) {
      log.warn({ reason, why: message }, 'claim refused; nothing is written to the worker');
      context.homeEvents.event(bindingSubject(context.binding()), 'Warning', reason, message);
    }
    held = false;
    refusal = reason;
    // Home has to show how its pods end there; nothing is written to the worker while the claim is not held.
    if (reason === 'Released') first.resolve();
    report.condition({ type: BindingCondition.claimed, status: 'False', reason, message });
  }

  return {
    get held() {
      return held;
    },
    get refusal() {
      return refusal;
    },
    firstKnown: first.promise,
    nudge: () => wake.resolve(),
    confirm() {
      const now = performance.now();
      if (!confirming || now - confirming.at > CONFIRMED_MS) {
        const answer = isOursNow();
        const asked = { at: now, answer };
        confirming = asked;
        // Nobody is told of a failure that was another's.
        answer.catch(() => {
          if (confirming === asked) confirming = undefined;
        });
      }
      return confirming.answer;
    },
    async run(signal) {
      while (!signal.aborted) {
        const next = wake.promise;
        let waitMs = Seconds.renewEvery * 1000;
        try {
          await turn();
          complaints.over();
        } catch (error) {
          if (isConflict(error) || isAlreadyExists(error)) waitMs = 200;
          else if (error instanceof HomeSilent) {
            tellFailure({}, error, 'the computing cluster does not answer: the claim is renewed later');
            waitMs = 2000;
          } else {
            options.onTurn(error);
            complaints.tell(error, held ? 'held' : refusal === undefined ? undefined : 'refused');
            // The namespace or the credential may be put right any moment; do not let a new binding wait for long.
            waitMs = held ? 5000 : 2000;
          }
        }
        await Promise.race([next, sleep(waitMs, signal)]).catch(() => undefined);
        wake = Promise.withResolvers<void>();
      }
    },
    async release() {
      if (!held) return;
      // Without one there was none to delete; who has the name by now is not asked.
      const uid = known?.metadata.uid;
      try {
        if (uid) await worker.delete(Leases, mountNamespace, name, { uid });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
      held = false;
    },
  };
}
