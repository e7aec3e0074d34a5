/**
 * Arguments of a command may hold secrets, and are in the URL of an exec. Whoever refuses one may quote them: a policy of the
 * worker that names what it forbids, or the page of something before its API server that names the URL it does not know. The caller
 * reads such words as they are; a log has them without.
 */

import type { Refusal } from '../errors.ts';

/** A shorter one is no secret, and would be found in any word. */
const SHORTEST = 4;

/** @param url of the request, with its query */
export function withoutArguments(text: string, url: string): string {
  const mark = url.indexOf('?');
  if (mark < 0) return text;
  // However a page writes a URL, the value is what was sent: no quote, blank or angle bracket is in it.
  let said = text.replaceAll(/\bcommand=[^&\s"'<>]*/g, 'command=…');
  // The program is what the audit line names.
  const [, ...args] = new URLSearchParams(url.slice(mark + 1)).getAll('command');
  // As they are, and as they stand in JSON, and in quotes of Go.
  const forms = args.filter(({ length }) => length >= SHORTEST).flatMap((argument) => [argument, inQuotes(argument)]);
  for (const form of forms.toSorted((a, b) => b.length - a.length)) said = said.replaceAll(form, '…');
  return said;
}

function inQuotes(argument: string): string {
  return JSON.stringify(argument).slice(1, -1);
}

/** Characters of a refusal in the audit line of a session: there is one for each, and of the refusal another line. */
const MOST_REASON = 300;

/** Why a session ended that was refused. */
export function reasonOf({ message }: Refusal, url: string): string {
  return `refused: ${withoutArguments(message, url).slice(0, MOST_REASON)}`;
}
