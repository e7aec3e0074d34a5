/**
 * JSON lines on standard output, written at once: what is on its way when a process ends would come out of order, or not
 * at all. Facts go into fields, messages are constant; secrets never reach a field.
 */
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { messageOf } from '../kube/errors.ts';
import { printableJson } from '../kube/printable.ts';
import { createNews, type OnWatchError } from '../kube/news.ts';

export type { Logger };

/** @param to where lines go. Default: standard output. */
export function createLogger(process: string, level: string, to?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['token', 'authorization', 'headers.authorization', '*.token', '*.authorization'],
      censor: '[removed]',
    },
    serializers: { error: pino.stdSerializers.err },
  };
  const lines: DestinationStream & { flushSync?: () => void } = to ?? pino.destination({ fd: 1, sync: true });
  // A line may quote what another cluster says, and is read in a terminal.
  const shown = { write: (line: string) => lines.write(printableJson(line)), flushSync: () => lines.flushSync?.() };
  return pino(options, shown);
}

/** Logs a failure of something that is tried again: as a warning where, of the same thing, that is news. */
export function createFailureLog(
  log: Logger,
): (facts: Record<string, unknown>, error: unknown, message: string) => void {
  const isNews = createNews();
  return (facts, error, message) => {
    const cause = messageOf(error);
    const level = isNews([...Object.values(facts), cause].join(' ')) ? 'warn' : 'debug';
    log[level]({ ...facts, error: cause }, message);
  };
}

/** For a reflector: logs a list or watch that failed, as a warning where that is news. */
export function logWatch(log: Logger, facts: Record<string, unknown>, message: string): OnWatchError {
  return (error, doing, isNews) =>
    log[isNews ? 'warn' : 'debug']({ ...facts, doing, error: messageOf(error) }, message);
}
