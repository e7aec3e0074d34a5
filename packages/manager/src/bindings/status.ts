/**
 * Conditions and phase of a binding from what is known of it: pure. The manager writes Ready, Connected, SyncerReady
 * and ProxierReady; what the syncer says of the claim, the agent and the worker goes into Ready.
 */
import {
  BindingCondition,
  type ClusterBinding,
  type ClusterBindingPhase,
  type ClusterBindingStatus,
} from '@kubeocean/shared/api';
import { type Condition, deepEqual, type KubeObject, printable, withCondition } from '@kubeocean/shared/kube';
import type { BindingProblem } from './problem.ts';
import type { WorkerIdentity } from './worker-check.ts';

/** What is known when the status is made. */
export interface Known {
  /** What the first failing check found. */
  problem?: BindingProblem;
  /** Set when the worker has been checked since this process began. */
  worker?: WorkerIdentity;
  syncer?: KubeObject;
  proxier?: KubeObject;
  /** Why the pods of a Deployment do not run, if somebody looked. */
  why?: { syncer?: string; proxier?: string };
  /** Why Deployments could not be applied. */
  applyError?: string;
  /** In one word, when it is not just that. */
  applyReason?: string;
  /** Set while the binding is being deleted: what is waited for. */
  deleting?: string;
}

/** What the syncer says, in the order in which it is told. */
const SYNCER_CONDITIONS = [
  BindingCondition.workerReachable,
  BindingCondition.claimed,
  BindingCondition.agentReady,
] as const;

/** In characters. What a worker says of itself has no bound, and one message that is refused (32,768) would keep all of the status. */
const LONGEST_MESSAGE = 4096;

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'> & { reason: string; message: string };

/** The types of condition that this process writes; all others are somebody else's. */
export const OWN_CONDITIONS: readonly string[] = [
  BindingCondition.ready,
  BindingCondition.connected,
  BindingCondition.syncerReady,
  BindingCondition.proxierReady,
];

/** The manager's part of the status. The rest of the binding's status is read, never written. */
export function statusOf(binding: ClusterBinding, known: Known, now: Date): ClusterBindingStatus {
  const before = binding.status;
  const syncer = available(known, 'syncer');
  const proxier = available(known, 'proxier');
  const connected = connection(binding, known);
  const ready = readiness(binding, known, { syncer, proxier, connected });
  const own = (before?.conditions ?? []).filter((condition) => OWN_CONDITIONS.includes(condition.type));
  let conditions: Condition[] = own;
  for (const [type, verdict] of [
    [BindingCondition.ready, ready],
    [BindingCondition.connected, connected],
    [BindingCondition.syncerReady, syncer],
    [BindingCondition.proxierReady, proxier],
  ] as const) {
    const generation = binding.metadata.generation;
    conditions = withCondition(
      conditions,
      {
        type,
        ...verdict,
        // Of half a character an API server keeps another in its place: it would be told, and written, at each look.
        message: printable(verdict.message.slice(0, LONGEST_MESSAGE).toWellFormed()),
        ...(generation !== undefined && { observedGeneration: generation }),
      },
      now,
    );
  }
  const becameReady = ready.status === 'True' && readyOf(before)?.status !== 'True';
  const lastSyncTime = becameReady ? now.toISOString().replace(/\.\d+Z$/, 'Z') : before?.lastSyncTime;
  return { phase: phaseOf(binding, ready, known), conditions, ...(lastSyncTime && { lastSyncTime }) };
}

export function readyOf(status: ClusterBindingStatus | undefined): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === BindingCondition.ready);
}

/** Whether the manager's part of `status` is as it should be. */
export function sameStatus(status: ClusterBindingStatus | undefined, desired: ClusterBindingStatus): boolean {
  const own = (status?.conditions ?? []).filter((condition) => OWN_CONDITIONS.includes(condition.type));
  const sorted = (list: Condition[] | undefined) => [...(list ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1));
  return (
    status?.phase === desired.phase &&
    status?.lastSyncTime === desired.lastSyncTime &&
    deepEqual(sorted(own), sorted(desired.conditions))
  );
}

/** Failed: somebody has to do something. Pending: it goes on by itself. */
function phaseOf(binding: ClusterBinding, ready: Verdict, known: Known): ClusterBindingPhase {
  if (ready.status === 'True') return 'Ready';
  if (known.deleting !== undefined) return 'Pending';
  if (known.problem || known.applyError !== undefined) return 'Failed';
  const told = SYNCER_CONDITIONS.map((type) => conditionOf(binding, type)).find((one) => one?.reason === ready.reason);
  return told?.status === 'False' && told.reason !== 'NotClaimedYet' ? 'Failed' : 'Pending';
}

function conditionOf(binding: ClusterBinding, type: string): Condition | undefined {
  return binding.status?.conditions?.find((condition) => condition.type === type);
}

function connection(binding: ClusterBinding, known: Known): Verdict {
  const { problem, worker } = known;
  if (problem && (problem.stage === 'secret' || problem.stage === 'worker')) {
    return { status: 'False', reason: problem.reason, message: problem.message };
  }
  const reachable = conditionOf(binding, BindingCondition.workerReachable);
  if (reachable?.status === 'False' && isUp(known.syncer)) {
    const { reason = 'WorkerUnreachable', message = 'the syncer cannot reach the worker cluster' } = reachable;
    return { status: 'False', reason, message };
  }
  if (worker) {
    // Its version may change unseen, as it is not looked at again while the syncer reports: status.workerVersion has it.
    const passed = `the worker cluster answers and knows us as "${worker.user}"`;
    const message = worker.shortcoming ? `${passed}; ${worker.shortcoming}` : passed;
    return { status: 'True', reason: 'ConnectivityPassed', message };
  }
  const before = conditionOf(binding, BindingCondition.connected);
  // After a restart of the manager the last word stands until the worker has been looked at again.
  if (before && !problem && before.reason && before.message !== undefined) {
    return { status: before.status, reason: before.reason, message: before.message };
  }
  return { status: 'Unknown', reason: 'NotChecked', message: 'the worker cluster has not been looked at yet' };
}

/** Whether a Deployment has a replica that is available. */
export function isUp(deployment: KubeObject | undefined): boolean {
  const status = deployment?.['status'] as { availableReplicas?: number } | undefined;
  return (status?.availableReplicas ?? 0) > 0;
}

/** What the Deployment's own controller complains of. */
function complaintOf(deployment: KubeObject | undefined): Condition | undefined {
  const { conditions = [] } = (deployment?.['status'] ?? {}) as { conditions?: Condition[] };
  return conditions.find(
    ({ type, status }) =>
      (type === 'ReplicaFailure' && status === 'True') || (type === 'Progressing' && status === 'False'),
  );
}

/** Whether the pods of its last change have not come up in the time there is for it, or cannot be made. */
export function isStuck(deployment: KubeObject | undefined): boolean {
  return complaintOf(deployment) !== undefined;
}

/** A Deployment is ready for its binding when one replica is available: one syncer leads, one proxier can serve all. */
function available(known: Known, component: 'syncer' | 'proxier'): Verdict {
  const deployment = known[component];
  if (!deployment) {
    return { status: 'False', reason: 'NotDeployed', message: `the ${component} has not been deployed` };
  }
  const { spec, status, metadata } = deployment as KubeObject & {
    spec?: { replicas?: number };
    status?: { availableReplicas?: number; unavailableReplicas?: number };
  };
  const where = `Deployment ${metadata.namespace}/${metadata.name}`;
  const count = status?.availableReplicas ?? 0;
  const wanted = spec?.replicas ?? 1;
  const why = known.why?.[component] ?? complaintOf(deployment)?.message;
  if (count > 0 && isStuck(deployment)) {
    const message = `${where}: what runs goes on, but its last change does not come up: ${why}`;
    return { status: 'True', reason: 'RolloutStuck', message };
  }
  if (count > 0) {
    const coming = count < wanted ? 0 : (status?.unavailableReplicas ?? 0);
    const rollout = coming > 0 ? `; of its last change ${coming} more ${coming === 1 ? 'does' : 'do'} not run yet` : '';
    const message = `${where}: ${count < wanted ? 'at least one' : 'every'} replica is available${rollout}`;
    return { status: 'True', reason: 'DeploymentAvailable', message };
  }
  return {
    status: 'False',
    reason: 'DeploymentUnavailable',
    message: why ? `${where}: no replica is available: ${why}` : `${where}: no replica is available yet`,
  };
}

function readiness(
  binding: ClusterBinding,
  known: Known,
  parts: Record<'syncer' | 'proxier' | 'connected', Verdict>,
): Verdict {
  const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
  if (known.deleting !== undefined) return no('Unbinding', known.deleting);
  if (known.problem) return no(known.problem.reason, known.problem.message);
  if (known.applyError !== undefined) return no(known.applyReason ?? 'ApplyFailed', known.applyError);
  if (!known.syncer || !known.proxier) return no('Initializing', 'the worker cluster is being checked');
  if (parts.syncer.status !== 'True') return no('SyncerNotReady', parts.syncer.message);
  if (parts.proxier.status !== 'True') return no('ProxierNotReady', parts.proxier.message);
  for (const type of SYNCER_CONDITIONS) {
    const condition = conditionOf(binding, type);
    if (condition && condition.status !== 'True') {
      return no(condition.reason ?? type, condition.message ?? `the syncer says ${type}=${condition.status}`);
    }
  }
  if (!conditionOf(binding, BindingCondition.claimed))
    return no('SyncerStarting', 'the syncer has not claimed the binding in the worker yet');
  const bound = 'the worker cluster is bound: syncer and proxier run, the claim is held';
  const none = `no node is lent to it now: a ResourceLeasingPolicy in the worker cluster decides, whose spec.cluster is "${binding.metadata.name}"; there, kubectl get rlp -o wide says why`;
  return {
    status: 'True',
    reason: 'ValidationPassed',
    message: binding.status?.nodes === 0 ? `${bound}; ${none}` : bound,
  };
}
