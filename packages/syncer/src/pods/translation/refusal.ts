/** A home pod that cannot be carried to a worker as it is. */

/** Thrown inside the translation; the spec of a pod does not change, so trying again is no use. */
export class Refusal extends Error {
  /** One CamelCase word, for the condition on the home pod. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'Refusal';
    this.reason = reason;
  }
}
