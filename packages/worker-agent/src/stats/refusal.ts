/** What is answered instead of metrics. The proxier passes the text on to whoever asked. */
export class StatsRefusal extends Error {
  /** 429: to be asked again a moment later. */
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StatsRefusal';
    this.code = code;
  }
}
