/** The command as it is installed: `bin/kubeocean`, run from source. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const program = resolve(import.meta.dirname, '../bin/kubeocean');

function help(env: Record<string, string>, name = program) {
  const path = process.env['PATH'] ?? '';
  return spawnSync(name, ['--help'], { env: { PATH: path, ...env }, encoding: 'utf8', timeout: 30_000 });
}

test('keeps what was compiled in the cache of its user', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-bin-'));
  try {
    expect(help({ HOME: folder }).stdout).toContain('kubeocean: ');
    expect(existsSync(join(folder, '.cache/kubeocean/compile'))).toBe(true);
    expect(help({ HOME: folder, XDG_CACHE_HOME: join(folder, 'other') }).status).toBe(0);
    expect(existsSync(join(folder, 'other/kubeocean/compile'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ['no home', {}],
  ['a home that nothing can be kept in', { HOME: '/proc' }],
  ['a folder that cannot be', { NODE_COMPILE_CACHE: '/proc/none' }],
])('runs with %s', (_, env: Record<string, string>) => {
  const { status, stdout, stderr } = help(env);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('kubeocean: ');
});

test('says its name as it was called', () => {
  expect(help({}, resolve(import.meta.dirname, '../bin/kubectl-kubeocean')).stdout).toContain('kubectl kubeocean: ');
});

test('ends quietly when nobody reads any more', async () => {
  const child = spawn(program, ['--help'], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  child.stdout.destroy();
  let told = '';
  child.stderr.on('data', (text: Buffer) => (told += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, told }).toEqual({ code: 0, told: '' });
});
