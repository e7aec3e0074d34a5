/**
 * The worker cluster and its agent as the binding tells of them: WorkerReachable, AgentReady, counts, version. Looks once
 * a second at what the watches have shown; the conditions are only written when they change.
 */
import { Annotation, BindingCondition, ChartName } from '@kubeocean/shared/api';
import { is404, type KubeObject, type Lease, messageOf, type ReadonlyStore } from '@kubeocean/shared/kube';
import type { ClaimKeeper } from '../claim/keeper.ts';
import { type AgentState, createHeartbeat } from '../claim/heartbeat.ts';
import { createWorkerClock } from '../claim/worker-clock.ts';
import type { SyncerContext } from '../context.ts';
import type { SyncerMetrics } from '../metrics.ts';
import type { NodesController, WorkerView } from '../nodes/controller.ts';
import { failureReason, type Reachability, unreachableMessage } from '../worker.ts';
import type { OwnCondition } from './report.ts';
import { bindingSubject } from './subject.ts';

export interface WorkerHealth {
  /** As of the last look. */
  view(): WorkerView;
  /** Looks again. Gives true when something that concerns every vnode has changed. */
  look(nowMs: number): boolean;
  /** A list or watch of records failed or worked again. */
  recordsError(error: unknown): void;
}

export interface WorkerHealthParts {
  reachability: Reachability;
  heartbeats: ReadonlyStore<KubeObject>;
  claim: ClaimKeeper;
  nodes: () => NodesController;
  metrics: SyncerMetrics;
  /** Seconds of silence after which the agent counts as gone. */
  agentStaleSeconds: number;
}

export function createWorkerHealth(context: SyncerContext, parts: WorkerHealthParts): WorkerHealth {
  const { report, stores, mountNamespace } = context;
  const { reachability, claim } = parts;
  const before = context.binding().status?.conditions ?? [];
  const wasReachable = before.some(
    ({ type, status }) => type === BindingCondition.workerReachable && status === 'True',
  );
  const heartbeat = createHeartbeat(
    before.some(({ type, reason }) => type === BindingCondition.agentReady && reason === 'AgentStale'),
    parts.agentStaleSeconds * 1000,
  );
  let kindMissing = false;
  let wasUnreachable: boolean | undefined;
  let view: WorkerView = {
    unreachable: undefined,
    recordsKnown: false,
    isReleased: false,
    leaseUnknown: undefined,
    evictWhenUnreachable: false,
    workerAheadMs: undefined,
  };
  const clock = createWorkerClock();

  parts.heartbeats.onChange(({ previous, current }) => {
    heartbeat.seen(current !== undefined, performance.now());
    // The first sight of it may be of any age.
    if (previous && current) clock.heard((current as Lease).spec?.renewTime, context.now().getTime());
  });

  function look(nowMs: number): boolean {
    const unreachable = reachability.unreachable(nowMs);
    if (wasUnreachable && unreachable === false) heartbeat.contact(nowMs);
    wasUnreachable = unreachable;
    if (stores.records.hasSynced && !unreachable) kindMissing = false;
    const agent = heartbeat.state(parts.heartbeats.hasSynced, nowMs);
    const isReleased = claim.refusal === 'Released';
    const refused = claim.refusal !== undefined && !isReleased;
    const next: WorkerView = {
      unreachable,
      recordsKnown: isWorkerListed() && !refused && (claim.held || isReleased),
      isReleased,
      leaseUnknown: leaseUnknown(refused, agent),
      evictWhenUnreachable: context.binding().metadata.annotations?.[Annotation.unreachable] === 'evict',
      workerAheadMs: clock.aheadMs,
    };
    const { workerAheadMs: aheadMs = 0 } = next;
    if (aheadMs !== (view.workerAheadMs ?? 0)) tellClocks(aheadMs);
    const changed = (Object.keys(next) as (keyof WorkerView)[]).some((key) => next[key] !== view[key]);
    view = next;
    tell(unreachable, agent);
    return changed;
  }

  /** What runs there says, beside the records, what is free on a vnode and whether it is empty. */
  function isWorkerListed(): boolean {
    return stores.records.hasSynced && stores.workerPods.hasSynced;
  }

  /** What the last syncer found stands until the heartbeats are listed. */
  function leaseUnknown(refused: boolean, agent: AgentState): boolean | undefined {
    if (refused || kindMissing) return true;
    return agent === 'Unknown' ? undefined : agent !== 'Alive';
  }

  function tellClocks(aheadMs: number): void {
    const seconds = Math.abs(aheadMs) / 1000;
    const words =
      aheadMs === 0
        ? "the worker cluster's clock agrees with this one's"
        : `the worker cluster's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this one's: vnodes and events say times by the clock of this cluster, messages of the agent by its own. Set the clocks right`;
    context.log.warn({ aheadMs }, words);
    const type = aheadMs === 0 ? 'Normal' : 'Warning';
    context.homeEvents.event(bindingSubject(context.binding()), type, 'ClocksDiffer', words);
  }

  function tell(unreachable: boolean | undefined, agent: AgentState): void {
    const reachable = reachableCondition(unreachable);
    if (reachable) report.condition(reachable);
    const ready = agentCondition(unreachable, agent);
    if (ready) report.condition(ready);
    const nodes = parts.nodes().count;
    report.facts({ nodes, ...(stores.workerPods.hasSynced && { pods: stores.workerPods.size }) });
    parts.metrics.vnodes.set(nodes);
    parts.metrics.workerReachable.set(unreachable === false ? 1 : 0);
    parts.metrics.claimHeld.set(claim.held ? 1 : 0);
  }

  function reachableCondition(unreachable: boolean | undefined): OwnCondition | undefined {
    const type = BindingCondition.workerReachable;
    const { error } = reachability;
    if (unreachable === false) {
      return { type, status: 'True', reason: 'Answering', message: 'the worker cluster answers' };
    }
    if (unreachable) {
      return {
        type,
        status: 'False',
        reason: failureReason(error),
        message: unreachableMessage(error, reachability.silenceSeconds, view.evictWhenUnreachable),
      };
    }
    // A binding that has never worked is told at once; one that did gets its 30 seconds.
    if (wasReachable || error === undefined) return undefined;
    return { type, status: 'False', reason: failureReason(error), message: messageOf(error) };
  }

  function agentCondition(unreachable: boolean | undefined, agent: AgentState): OwnCondition | undefined {
    const type = BindingCondition.agentReady;
    if (unreachable) {
      const message = 'the worker cluster does not answer, so nothing is known of its agent';
      return { type, status: 'Unknown', reason: 'WorkerUnreachable', message };
    }
    if (kindMissing) {
      const message = `the worker cluster has no LeasedNode kind: install charts/kubeocean-worker there`;
      return { type, status: 'False', reason: 'AgentNotInstalled', message };
    }
    if (agent === 'Missing') {
      const message = `there is no heartbeat Lease ${mountNamespace}/${ChartName.agent} in the worker cluster: install charts/kubeocean-worker there and name the namespace in its value "tenants"`;
      return { type, status: 'False', reason: 'AgentNotInstalled', message };
    }
    if (agent === 'Stale') {
      const message = `the agent has not renewed its heartbeat ${mountNamespace}/${ChartName.agent} for ${parts.agentStaleSeconds} s: look at the Deployment ${ChartName.agent} in namespace ${ChartName.agent} of the worker cluster. Pods go on; vnodes take no new ones`;
      return { type, status: 'False', reason: 'AgentStale', message };
    }
    if (agent === 'Unknown') return undefined;
    const orphans = view.recordsKnown ? parts.nodes().withoutRecord() : 0;
    if (orphans > 0) {
      const message = `${orphans} vnodes have no LeasedNode in ${mountNamespace} any more, though none was closed: they stay and take no new pods. See the agent's log in the worker cluster`;
      return { type, status: 'False', reason: 'RecordsMissing', message };
    }
    return {
      type,
      status: 'True',
      reason: 'AgentAlive',
      message: 'the agent in the worker cluster renews its heartbeat',
    };
  }

  return {
    view: () => view,
    look,
    recordsError(error) {
      kindMissing = is404(error);
    },
  };
}
