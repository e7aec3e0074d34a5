import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { processes, processNames, startCommand } from './bundle.ts';

describe('images', () => {
  test.each(processes)('the Dockerfile of %s starts it as our own image does', (name) => {
    const text = readFileSync(resolve(import.meta.dirname, `../packages/${name}/Dockerfile`), 'utf8');
    const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(text)?.[1] ?? '[]';
    expect(JSON.parse(entrypoint)).toEqual(startCommand('node'));
  });

  test('a process that there is not is refused by name', () => {
    expect(() => processNames(['syncer', 'kubelet'])).toThrow(
      'there is no process "kubelet"; choose from manager, syncer, proxier, worker-agent',
    );
    expect(processNames([])).toEqual(processes);
  });
});
