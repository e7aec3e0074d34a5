/** The command cannot answer: bad file, no such object, no cluster. Exit code 1; the message says what to do. */
export class Failure extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
  }
}
