/** Why a binding cannot work: a reason for programs, a message for people, and how far the checks had come. */

/**
 * spec: wrong by itself or against other bindings. secret: no usable kubeconfig. worker: it does not answer, or does
 * not let us. agent: nobody there who lends.
 */
export type Stage = 'spec' | 'secret' | 'worker' | 'agent';

/** The message names the object, the cause and the next step, and never quotes a credential. */
export class BindingProblem extends Error {
  readonly stage: Stage;
  readonly reason: string;

  constructor(stage: Stage, reason: string, message: string) {
    super(message);
    this.name = 'BindingProblem';
    this.stage = stage;
    this.reason = reason;
  }
}
