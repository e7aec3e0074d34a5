/**
 * Tells lent pods why they go: an annotation, by which home goes, and a condition. That is owed to whoever runs them, but
 * the end of a lease does not hang on it: a pod whose annotations are full, or that a webhook guards, goes all the same.
 */
import { Annotation, PodCondition } from '@kubeocean/shared/api';
import type { Logger } from '@kubeocean/shared/daemon';
import {
  isConflict,
  isNotFound,
  type KubeClient,
  type Leadership,
  mayPass,
  messageOf,
  Pods,
} from '@kubeocean/shared/kube';
import { rfc3339 } from '@kubeocean/shared/lease';
import { disruption, type PodStep } from './plan.ts';

/** A webhook that hangs must not keep a thousand pods from their end. */
const CALL_MS = 3000;
/** So many failures in a row that may pass are waited out; then they are taken for lasting. */
const PASSING = 3;

export interface ExplainerOptions {
  client: KubeClient;
  log: Logger;
  leadership: Leadership;
  now(): Date;
  /** Told of each explanation that did not come about. */
  onFailure(): void;
}

export class Explainer {
  private readonly options: ExplainerOptions;
  /** Pods of which it was logged that they go without words, by UID. */
  private readonly told = new Set<string>();
  /**
   * What pods were told, by UID, or what could not be told them for which step: a disruption budget may refuse an eviction for
   * ten minutes, and each try would be another write of the pod, which home then shows, too.
   */
  private readonly said = new Map<string, string>();
  /** Failures in a row, of any pod, that may pass. Those that were under way together are one. */
  private passing = 0;
  /** Monotonic milliseconds at which the last of them was counted. */
  private countedAt = -Infinity;

  constructor(options: ExplainerOptions) {
    this.options = options;
  }

  /** Forgets pods that have no step any more. */
  keep(steps: ReadonlyMap<string, PodStep>): void {
    for (const known of [this.told, this.said]) {
      for (const uid of known.keys()) if (!steps.has(uid)) known.delete(uid);
    }
  }

  /** @throws ApiError | ConnectionError when the pod does not say now why it goes */
  async explain(step: PodStep): Promise<void> {
    try {
      await this.write(step, { [Annotation.leaseClosed]: step.message });
    } catch (error) {
      if (mayPass(error) || isNotFound(error) || isConflict(error)) throw error;
      // What refuses the annotation may admit the condition.
      await this.write(step, undefined).catch(() => undefined);
      throw error;
    }
  }

  /**
   * The same for a pod that goes next, whether or not it says why. A pod that is gone or another by now is for the
   * preconditions of what follows to tell.
   * @param again also when it says so already, as far as we know
   * @throws ApiError | ConnectionError of a failure that may pass in a moment; the caller tries again
   */
  async tryToExplain(step: PodStep, again = false): Promise<void> {
    const { uid, message } = step;
    const failed = `${step.kind}: ${message}`;
    const said = this.said.get(uid);
    if (!again && (said === message || said === failed)) return;
    const begun = performance.now();
    try {
      await this.explain(step);
      this.said.set(uid, message);
      this.passing = 0;
    } catch (error) {
      if (this.options.leadership.signal.aborted) throw error;
      if (isNotFound(error) || isConflict(error)) return;
      if (mayPass(error)) {
        if (this.countPassing(begun) <= PASSING) throw error;
      } else this.said.set(uid, failed);
      this.options.onFailure();
      if (this.told.has(step.uid)) return;
      this.told.add(step.uid);
      const { namespace, name, node } = step;
      this.options.log.warn(
        { pod: `${namespace}/${name}`, node, why: step.message, error: messageOf(error) },
        'a lent pod goes though it could not be told why',
      );
    }
  }

  private countPassing(begun: number): number {
    if (begun >= this.countedAt) {
      this.passing++;
      this.countedAt = performance.now();
    }
    return this.passing;
  }

  /** Takes the words off again. @throws ApiError | ConnectionError */
  retract({ namespace, name, uid }: PodStep): Promise<unknown> {
    this.said.delete(uid);
    const patch = {
      metadata: { uid, annotations: { [Annotation.leaseClosed]: null } },
      status: { conditions: [{ type: PodCondition.disruptionTarget, $patch: 'delete' }] },
    };
    const options = { type: 'strategic', subresource: 'status', signal: this.options.leadership.signal } as const;
    return this.options.client.patch(Pods, namespace, name, patch, options);
  }

  private write(step: PodStep, annotations: Record<string, string> | undefined): Promise<unknown> {
    // A write to the status may carry annotations too (podStatusStrategy of the API server leaves metadata as given).
    const patch = {
      metadata: { uid: step.uid, ...(annotations && { annotations }) },
      status: { conditions: [disruption(step, rfc3339(this.options.now()))] },
    };
    return this.options.client.patch(Pods, step.namespace, step.name, patch, {
      type: 'strategic',
      subresource: 'status',
      signal: this.options.leadership.signal,
      timeoutMs: CALL_MS,
    });
  }
}
