import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

test('a line says what it was given, and nothing to the terminal in which it is read', () => {
  const lines: string[] = [];
  const log = createLogger('test', 'info', { write: (line) => void lines.push(line) });
  const error = 'the worker says \u001b[2J \u009b31m \u202e später\n';
  log.warn({ error }, 'failed');
  expect(lines).toHaveLength(1);
  // oxlint-disable-next-line no-control-regex
  expect(lines[0]?.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ error, msg: 'failed' });
});
