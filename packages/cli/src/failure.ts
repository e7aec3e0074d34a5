/** Why the command has no answer, in words. */
import { oneLine } from './visible.ts';

/**
 * The command cannot answer: bad file, no such object, no cluster. Exit code 1; the message says what to do. Each text is a
 * line of it, whatever it quotes.
 */
export class Failure extends Error {
  constructor(message: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof message === 'string' ? [message] : message;
    super(lines.map(oneLine).join('\n'), options);
    this.name = 'Failure';
  }
}
