/**
 * JSON lines on standard output, written at once: what is on its way when a process ends would come out of order, or not
 * at all. Facts go into fields, messages are constant; secrets never reach a field.
 */
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';

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
  return pino(options, to ?? pino.destination({ fd: 1, sync: true }));
}
