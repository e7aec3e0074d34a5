import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { build } from 'esbuild';
import { httpByName, imageEnvironment, processes, processNames, startCommand } from './bundle.ts';

describe('images', () => {
  test.each(processes)('the Dockerfile of %s starts it as our own image does', (name) => {
    const text = readFileSync(resolve(import.meta.dirname, `../packages/${name}/Dockerfile`), 'utf8');
    const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(text)?.[1] ?? '[]';
    expect(JSON.parse(entrypoint)).toEqual(startCommand('node'));
    const environment = [...text.matchAll(/^ENV (\w+)=(.*)$/gm)].map(([, key = '', value]) => [key, value]);
    expect(Object.fromEntries(environment)).toEqual(imageEnvironment);
  });

  test('a process that there is not is refused by name', () => {
    expect(() => processNames(['syncer', 'kubelet'])).toThrow(
      'there is no process "kubelet"; choose from manager, syncer, proxier, worker-agent',
    );
    expect(processNames([])).toEqual(processes);
  });
});

test('a bundle that imports node:http does not load undici with it', async () => {
  const contents = `import { STATUS_CODES } from 'node:http';
    console.log(STATUS_CODES[404], process.moduleLoadList.some((name) => name.endsWith('deps/undici/undici')));`;
  const options = { stdin: { contents }, bundle: true, write: false, platform: 'node', format: 'esm' } as const;
  async function says(plugins: (typeof httpByName)[]): Promise<string> {
    const { outputFiles } = await build({ ...options, plugins });
    const run = ['--input-type=module', '--eval', outputFiles[0]?.text ?? ''];
    return execFileSync(process.execPath, run, { encoding: 'utf8' }).trim();
  }
  expect(await says([httpByName])).toBe('Not Found false');
  // Otherwise the plug-in is of no use any more.
  expect(await says([])).toBe('Not Found true');
});
