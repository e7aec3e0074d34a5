/**
 * Keeps one binding in step: finalizer, checks, objects made for it, status. Runs for one binding at a time per name and
 * may be repeated at any moment; what is right already is not written again.
 */
import {
  Annotation,
  type ClusterBinding,
  ClusterBindings,
  Finalizer,
  labelValue,
  Namespace,
  VolumeFinalizer,
} from '@kubeocean/shared/api';
import {
  ApiError,
  isConflict,
  type KubeObject,
  type Leadership,
  messageOf,
  type Outcome,
  Pods,
  type ReadonlyStore,
} from '@kubeocean/shared/kube';
import type { Settings } from '../settings.ts';
import { accessObjects } from '../workloads/access.ts';
import { type Applier, ForeignStateError, type MadeStores } from '../workloads/applier.ts';
import { deployment } from '../workloads/deployment.ts';
import { type ComponentName, isOwnedBy, type Made, selectorLabels } from '../workloads/made.ts';
import type { WorkerChecks } from './checks.ts';
import { whyNotRunning } from './pods.ts';
import { BindingProblem } from './problem.ts';
import { Reporter, type ReporterOptions, subject } from './report.ts';
import { isStuck, isUp, type Known } from './status.ts';
import { type KubeconfigSecret, secretProblem, selectorProblem, specProblem } from './validate.ts';

export interface ControllerOptions extends ReporterOptions {
  secrets: ReadonlyStore<KubeconfigSecret>;
  made: MadeStores;
  applier: Applier;
  checks: WorkerChecks;
  settings: Settings;
  leadership: Leadership;
  /** Milliseconds that never go back. */
  monotonic: () => number;
  /** Milliseconds for which its syncer must not have run before an abandoned binding finishes without it. */
  abandonAfterMs: number;
}

interface Applied {
  deployments: Pick<Known, 'syncer' | 'proxier'>;
  error?: Error;
}

/** How often to look why pods do not come up, and at a deletion that waits for others. */
const POLL_MS = 5000;

/**
 * What stands where ours belongs is not watched, so it is looked for again and again, at the pace of everything else that is
 * waited for; other failures go to the queue's back-off.
 */
function tryAgain(error: unknown): Outcome {
  if (error instanceof ForeignStateError) return { againInMs: POLL_MS };
  throw error;
}

/**
 * Without the port of a connection to a webhook that broke: words that are others each time would make another status each time,
 * whose change begins the next try at once.
 */
function wordsOf(error: unknown): string {
  return messageOf(error).replace(/:\d+->/g, '->');
}

export class BindingController {
  private readonly options: ControllerOptions;
  private readonly reporter: Reporter;
  private readonly silentSince = new Map<string, number>();

  constructor(options: ControllerOptions) {
    this.options = options;
    this.reporter = new Reporter(options);
  }

  async reconcile(name: string): Promise<Outcome> {
    if (!this.options.leadership.isCurrent()) return { againInMs: 1000 };
    const stored = this.options.bindings.get(name);
    if (!stored) return undefined;
    const binding = this.reporter.newest(stored);
    if (binding.metadata.deletionTimestamp) return this.unbind(binding);
    if (!(binding.metadata.finalizers ?? []).includes(Finalizer.bindingManager)) {
      const finalizers = [...(binding.metadata.finalizers ?? []), Finalizer.bindingManager];
      await this.setFinalizers(binding, finalizers).catch((error: unknown) => {
        const message = `the manager cannot put its finalizer on the binding, and begins nothing before: ${wordsOf(error)}`;
        return this.refused(binding, error, { problem: new BindingProblem('spec', 'FinalizerRefused', message) });
      });
      return undefined;
    }
    const problem = specProblem(binding, this.options.bindings.values(), this.ownerOfSyncer(binding));
    if (problem) {
      await this.reporter.report(binding, { ...this.deployed(binding), problem });
      return undefined;
    }
    if (!binding.status?.phase) await this.reporter.report(binding, {});

    // What serves pods already is kept up whatever the worker says; a new binding gets nothing before it is sound.
    const established = this.isEstablished(binding);
    let applied = established ? await this.apply(binding) : undefined;
    const reported = binding.status?.conditions?.some((condition) => condition.type === 'WorkerReachable') ?? false;
    const checked = this.options.checks.current(binding, this.secretOf(binding), reported && established);
    // Nothing new to say: the end of the look comes back here.
    if (!checked) return applied?.error ? tryAgain(applied.error) : undefined;
    const agentWell = binding.status?.conditions?.some((one) => one.type === 'AgentReady' && one.status === 'True');
    const found = checked.problem?.stage === 'agent' && agentWell ? undefined : checked.problem;
    const trouble = found ?? selectorProblem(binding);
    if (!trouble && !established) applied = await this.apply(binding);

    const known: Known = {
      ...applied?.deployments,
      ...this.deployed(binding),
      ...(trouble && { problem: trouble }),
      ...(checked.worker && { worker: checked.worker }),
      ...(applied?.error && { applyError: wordsOf(applied.error) }),
      ...(applied?.error instanceof ForeignStateError && { applyReason: 'ForeignState' }),
    };
    const down = await this.explain(binding, known);
    const latest = this.reporter.newest(this.options.bindings.get(name) ?? binding);
    const { uid, generation } = latest.metadata;
    // What is known is of the spec that was looked at. Another one, or its deletion, is on its way here by itself.
    if (uid === binding.metadata.uid && generation === binding.metadata.generation) {
      await this.reporter.report(latest, known);
    }
    if (applied?.error) return tryAgain(applied.error);
    const waits = [checked.againInMs, down ? POLL_MS : undefined].filter((ms) => ms !== undefined);
    return waits.length > 0 ? { againInMs: Math.min(...waits) } : undefined;
  }

  forget(bindingUID: string): void {
    this.options.checks.forget(bindingUID);
    this.reporter.forget(bindingUID);
    this.silentSince.delete(bindingUID);
  }

  /** Deployments that exist, or one that did: then pods may run by them. */
  private isEstablished(binding: ClusterBinding): boolean {
    const { syncer, proxier } = this.deployed(binding);
    return syncer !== undefined || proxier !== undefined || binding.status?.lastSyncTime !== undefined;
  }

  private secretOf({ spec: { secretRef } }: ClusterBinding): KubeconfigSecret | undefined {
    return this.options.secrets.get(`${secretRef.namespace}/${secretRef.name}`);
  }

  /** UID of the binding to which the syncer belongs that is deployed for this clusterID. */
  private ownerOfSyncer(binding: ClusterBinding): string | undefined {
    const found = this.options.made.get(deployment(binding, 'syncer', this.options.settings));
    return found?.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
  }

  private deployed(binding: ClusterBinding): Pick<Known, 'syncer' | 'proxier'> {
    const found: Pick<Known, 'syncer' | 'proxier'> = {};
    for (const component of ['syncer', 'proxier'] as const) {
      const object = this.options.made.get(deployment(binding, component, this.options.settings));
      if (object && isOwnedBy(object, binding.metadata.uid)) found[component] = object;
    }
    return found;
  }

  /** Makes what the binding needs. What went wrong is given back, to be told on the binding before it is thrown. */
  private async apply(binding: ClusterBinding): Promise<Applied> {
    const { applier, settings, log } = this.options;
    const uid = binding.metadata.uid ?? '';
    const deployments: Applied['deployments'] = {};
    const ensure = async (wanted: Made): Promise<KubeObject> => {
      const { object, written } = await applier.ensure(uid, wanted);
      const { kind, metadata } = wanted.object;
      if (written) log.info({ binding: binding.metadata.name, kind, object: metadata.name }, 'applied');
      return object;
    };
    try {
      for (const wanted of accessObjects(binding)) await ensure(wanted);
      deployments.syncer = await ensure(deployment(binding, 'syncer', settings));
      deployments.proxier = await ensure(deployment(binding, 'proxier', settings));
      return { deployments };
    } catch (error) {
      return { deployments, error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  /** Adds to `known` why pods do not run, all or the newest. @returns whether a Deployment has no available replica. */
  private async explain(binding: ClusterBinding, known: Known): Promise<boolean> {
    let down = false;
    for (const component of ['syncer', 'proxier'] as const) {
      const object = known[component];
      if (!object || (isUp(object) && !isStuck(object))) continue;
      if (!isUp(object)) down = true;
      const why = whyNotRunning(await this.podsOf(binding, component));
      if (why) known.why = { ...known.why, [component]: why };
    }
    return down;
  }

  private async podsOf(binding: ClusterBinding, component: ComponentName): Promise<KubeObject[]> {
    const labels = Object.entries(selectorLabels(binding, component));
    const labelSelector = labels.map(([key, value]) => `${key}=${value}`).join(',');
    return (await this.options.home.list(Pods, { namespace: Namespace.system, labelSelector, limit: 50 })).items;
  }

  private async unbind(binding: ClusterBinding): Promise<Outcome> {
    const { applier, events, log } = this.options;
    const { finalizers = [], name } = binding.metadata;
    if (!finalizers.includes(Finalizer.bindingManager)) return undefined;
    if (finalizers.includes(Finalizer.bindingSyncer)) {
      const abandoned = binding.metadata.annotations?.[Annotation.abandon] === 'true';
      if (!this.isSilent(binding, abandoned)) {
        // A syncer ran, as its finalizer says, whatever else of it was lost, and no other will take that off.
        const applied = await this.apply(binding);
        const hint = abandoned
          ? 'without the worker cluster, as kubeocean.io/abandon asks'
          : `first; if the worker cluster is gone for good: kubectl annotate clusterbinding ${name} ${Annotation.abandon}=true`;
        const problem = secretProblem(binding, this.secretOf(binding));
        const failed = applied.error ? `not all that its syncer needs can be made (${wordsOf(applied.error)}); ` : '';
        const known: Known = {
          ...this.deployed(binding),
          ...(problem && { problem }),
          deleting: `${failed}the syncer removes the vnodes, their pods and what was copied to the worker ${hint}`,
        };
        await this.explain(binding, known);
        await this.reporter.report(binding, known);
        if (applied.error) return tryAgain(applied.error);
        return { againInMs: abandoned ? Math.min(POLL_MS, this.options.abandonAfterMs) : POLL_MS };
      }
      events.event(
        subject(binding),
        'Warning',
        'Abandoned',
        `the syncer does not run, so the binding ends without it; remove what it left: ` +
          `kubectl delete nodes -l kubeocean.io/cluster-binding=${labelValue(name)} (after taking off their finalizers); ` +
          `its PersistentVolumes (the same label) cannot be deleted before the finalizer ${VolumeFinalizer} is taken off`,
      );
      log.warn({ binding: name }, 'abandoned without its syncer');
      await this.takeOff(binding, Finalizer.bindingSyncer);
      return undefined;
    }
    const left = await applier.removeAll(binding).catch((error: unknown) => {
      const deleting = `what was made for it cannot be removed, which is tried again: ${wordsOf(error)}`;
      return this.refused(binding, error, { deleting });
    });
    // Their disappearance comes back as a change; the time is for one that was missed.
    if (left > 0) return { againInMs: POLL_MS };
    await this.takeOff(binding, Finalizer.bindingManager);
    log.info({ binding: name }, 'unbound');
    return undefined;
  }

  private async takeOff(binding: ClusterBinding, finalizer: string): Promise<void> {
    const others = (binding.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    await this.setFinalizers(binding, others).catch((error: unknown) => {
      const deleting = `its finalizer ${finalizer} cannot be taken off, which is tried again: ${wordsOf(error)}`;
      return this.refused(binding, error, { deleting });
    });
  }

  /** Whether the syncer has had no available replica for a while, all of which the binding was given up. */
  private isSilent(binding: ClusterBinding, abandoned: boolean): boolean {
    const uid = binding.metadata.uid ?? '';
    if (!abandoned || isUp(this.deployed(binding).syncer)) {
      this.silentSince.delete(uid);
      return false;
    }
    const since = this.silentSince.get(uid) ?? this.options.monotonic();
    this.silentSince.set(uid, since);
    return this.options.monotonic() - since >= this.options.abandonAfterMs;
  }

  /** Throws the error. What the API server refuses is told first: a webhook or policy may do so for ever. */
  private async refused(binding: ClusterBinding, error: unknown, known: Known): Promise<never> {
    if (error instanceof ApiError && !isConflict(error)) {
      await this.reporter.report(binding, { ...this.deployed(binding), ...known });
    }
    throw error;
  }

  private async setFinalizers(binding: ClusterBinding, finalizers: string[]): Promise<void> {
    const { name, uid, resourceVersion } = binding.metadata;
    await this.options.home.patch(ClusterBindings, '', name, { metadata: { uid, resourceVersion, finalizers } });
  }
}
