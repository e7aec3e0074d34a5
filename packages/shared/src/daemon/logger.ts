/** JSON lines on standard output. Facts go into fields, messages are constant; secrets never reach a field. */
import { type EventEmitter, once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
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

/** Resolves when what was logged is written, which takes a moment; after `ms` milliseconds at the latest. */
export async function writtenOut(log: Logger, ms = 500): Promise<void> {
  const { [pino.symbols.streamSym]: stream } = log as unknown as { [pino.symbols.streamSym]?: EventEmitter };
  if (stream) await Promise.race([once(stream, 'drain'), after(ms)]);
}
