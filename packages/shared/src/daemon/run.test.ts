import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';

const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), 'kubeocean-run-'));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  child: ChildProcess;
  /** Resolves when standard output holds the text. */
  printed: (text: string) => Promise<void>;
  ended: Promise<{ code: number | null; out: string; err: string }>;
}

/** A process of our kind whose `run` is the code given. It has the common flags and `--size`, a whole number. */
function daemon(body: string, args: string[] = []): Run {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const program = `
    import { BeginAnew, runDaemon } from ${module('./run.ts')};
    import { COMMON_OPTIONS } from ${module('./options.ts')};
    await runDaemon({
      name: 'kubeocean-test',
      summary: 'is tested',
      options: { ...COMMON_OPTIONS, size: { type: 'integer', default: 3, description: 'the size' } },
      async run(daemon) { ${body} },
    });`;
  const ports = ['--metrics-bind-address=127.0.0.1:0', '--health-probe-bind-address=127.0.0.1:0'];
  // A file, because that is what processes of ours are started from, and start themselves from again.
  const file = join(folder, `${crypto.randomUUID()}.ts`);
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file, ...ports, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let out = '';
  let err = '';
  const waiting = new Map<string, () => void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    for (const [text, resolve] of waiting) if (out.includes(text)) resolve();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<{ code: number | null; out: string; err: string }>();
  child.once('close', (code) => end({ code, out, err }));
  return {
    child,
    ended,
    printed(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(text, resolve);
      if (out.includes(text)) resolve();
      return promise;
    },
  };
}

const UNTIL_STOPPED = `
  const { promise, resolve } = Promise.withResolvers();
  daemon.signal.addEventListener('abort', resolve);
  console.log('runs with size ' + daemon.options.size);
  await promise;`;

function messages(out: string): string[] {
  return out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
}

test('runs with its options, answers on both ports, stops in order at SIGTERM with code 0', async () => {
  const { child, printed, ended } = daemon(UNTIL_STOPPED, ['--size=7']);
  await printed('runs with size 7');
  child.kill('SIGTERM');
  const { code, out } = await ended;
  expect(messages(out)).toEqual(['started', 'stopping', 'stopped']);
  const started = JSON.parse(out.split('\n')[0] as string) as Record<string, unknown>;
  expect(started).toMatchObject({ level: 'info', process: 'kubeocean-test' });
  expect(started['healthPort']).toBeGreaterThan(0);
  expect(code).toBe(0);
});

test('told to stop twice, it ends at once', async () => {
  const { child, printed, ended } = daemon(
    `console.log('runs'); await new Promise(() => setInterval(() => {}, 1000));`,
  );
  await printed('runs');
  child.kill('SIGINT');
  await printed('stopping');
  child.kill('SIGINT');
  const { code, out } = await ended;
  expect(messages(out).at(-1)).toBe('told to stop twice: ending at once');
  expect(code).toBe(1);
});

test.each([
  { what: 'run that fails', body: `throw new Error('no cluster');` },
  { what: 'rejection nobody handles', body: `void Promise.reject(new Error('no cluster')); ${UNTIL_STOPPED}` },
  { what: 'exception nobody catches', body: `setTimeout(() => { throw new Error('no cluster'); }); ${UNTIL_STOPPED}` },
])('a $what ends it with code 1 and one JSON line that says why', async ({ body }) => {
  const { code, out } = await daemon(body).ended;
  expect(code).toBe(1);
  const fatal = out.split('\n').filter((line) => line.includes('"level":"fatal"'));
  expect(fatal).toHaveLength(1);
  expect(JSON.parse(fatal[0] as string)).toMatchObject({ cause: 'no cluster' });
});

test('what must begin anew does: the same process and command line, and nothing of what it was', async () => {
  const marker = JSON.stringify(join(folder, 'second'));
  const { child, printed, ended } = daemon(
    `const { existsSync, writeFileSync } = await import('node:fs');
     if (existsSync(${marker})) { console.log('pid ' + process.pid); ${UNTIL_STOPPED} return; }
     writeFileSync(${marker}, '');
     setInterval(() => console.log('the old one writes'), 1);
     throw new BeginAnew('leadership was lost');`,
    ['--size=8'],
  );
  await printed('runs with size 8');
  child.kill('SIGTERM');
  const { code, out } = await ended;
  expect(messages(out)).toEqual(['started', 'begins anew', 'started', 'stopping', 'stopped']);
  expect(out).toContain('"cause":"leadership was lost"');
  expect(out).toContain(`pid ${child.pid}`);
  expect(out.slice(out.lastIndexOf('"started"'))).not.toContain('the old one writes');
  expect(code).toBe(0);
});

test('told to stop, it does not begin anew', async () => {
  const { child, printed, ended } = daemon(
    `console.log('runs');
     await new Promise((resolve) => { const alive = setInterval(() => {}, 1000); daemon.signal.addEventListener('abort', () => { clearInterval(alive); resolve(); }); });
     throw new BeginAnew('leadership was lost');`,
  );
  await printed('runs');
  child.kill('SIGTERM');
  const { code, out } = await ended;
  expect(messages(out)).toEqual(['started', 'stopping', 'ended by an error', 'stopped']);
  expect(code).toBe(1);
});

test('a bad command line is code 2 and one sentence; --help is code 0 and the table', async () => {
  const [bad, help] = await Promise.all([daemon('', ['--size=x']).ended, daemon('', ['--help']).ended]);
  expect(bad).toEqual({
    code: 2,
    out: '',
    err: 'kubeocean-test: --size takes a whole number of at least 0, not "x"\n',
  });
  expect(help.code).toBe(0);
  expect(help.out).toContain('kubeocean-test: is tested');
  expect(help.out).toMatch(/--size N +the size \(default 3\)/);
});

test('secrets do not reach the log', async () => {
  const { out } = await daemon(`
    daemon.log.info({ token: 'hunter2', headers: { authorization: 'Bearer hunter2' }, access: { token: 'hunter2' } }, 'connected');
  `).ended;
  expect(out).toContain('connected');
  expect(out).not.toContain('hunter2');
});
