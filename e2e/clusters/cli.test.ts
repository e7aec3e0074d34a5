import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { table } from './cli.ts';
import { run } from './local/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'clusters-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function cluster(argv: string[], before: string[] = [], local = folder) {
  return run([...before, process.execPath, join(import.meta.dirname, 'cli.ts'), ...argv], {
    anyExit: true,
    env: { ...process.env, KUBEOCEAN_LOCAL: local },
  });
}

describe('npm run cluster', () => {
  it('prints its help', async () => {
    const { status, stdout } = await cluster(['--help']);
    expect(status).toBe(0);
    for (const word of ['up', 'down', 'status', 'logs', '--workers', '--hollow', 'kind'])
      expect(stdout).toContain(word);
  });

  it('ends with 2 and one sentence when misused', async () => {
    const { status, stderr } = await cluster(['up', '--nodes', 'many']);
    expect({ status, stderr }).toEqual({ status: 2, stderr: 'cluster: --nodes wants a whole number, not "many"\n' });
  });

  it('refuses a relative state folder', async () => {
    const { status, stderr } = await cluster(['status'], [], 'here');
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'cluster: KUBEOCEAN_LOCAL must be an absolute folder, not "here"\n',
    });
  });

  it('says that nothing runs', async () => {
    const { status, stdout } = await cluster(['status']);
    expect(status).toBe(0);
    expect(stdout).toContain(`nothing runs for ${folder}`);
  });

  it('has no logs of clusters that never were', async () => {
    const { status, stderr } = await cluster(['logs']);
    expect(status).toBe(1);
    expect(stderr).toContain('no logs in');
  });

  // Root is tested as a user without its rights, which only root can become; anybody else is such a user already.
  it.skipIf(process.getuid?.() !== 0)('refuses users other than root', async () => {
    // It loads the code first: the folders of this checkout may be closed to other users.
    const index = JSON.stringify(join(import.meta.dirname, 'index.ts'));
    const script = `const { up } = await import(${index}); process.setuid(65534); await up();`;
    const { status, stderr } = await run([process.execPath, '--input-type=module', '-e', script], {
      anyExit: true,
    });
    expect(status).toBe(1);
    expect(stderr).toContain('run it as root');
  });
});

describe('table', () => {
  it('aligns columns and ends lines without spaces', () => {
    expect(
      table([
        ['A', 'LONG'],
        ['value', 'x'],
      ]),
    ).toBe('A       LONG\nvalue   x');
  });
});
