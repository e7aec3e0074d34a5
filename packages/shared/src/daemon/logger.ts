/** JSON lines on standard output. Facts go into fields, messages are constant; secrets never reach a field. */
import { type Logger, pino } from 'pino';

export type { Logger };

export function createLogger(process: string, level: string): Logger {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['token', 'authorization', 'headers.authorization', '*.token', '*.authorization'],
      censor: '[removed]',
    },
    serializers: { error: pino.stdSerializers.err },
  });
}
