import fs, { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inClusterCredentials, kubeconfigFile, workerCredentials } from './credentials.ts';
import { KubeconfigError } from './kubeconfig.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeocean-credentials-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function kubeconfig(user: Record<string, string>): string {
  return JSON.stringify({
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: 'https://10.0.0.1' } }],
    users: [{ name: 'x', user }],
  });
}

/** Replaces a file as an editor or a kubelet does: never half written. */
function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
}

const always = { trust: 'trusted', checkEveryMs: 0 } as const;

test('a replaced kubeconfig is taken, and one rewritten with the same content keeps the very same access', () => {
  const path = put('kubeconfig', kubeconfig({ token: 'one' }));
  const source = kubeconfigFile(path, always);
  const first = source.current();
  expect(first.token).toBe('one');
  put('kubeconfig', kubeconfig({ token: 'one' }));
  expect(source.current()).toBe(first);
  put('kubeconfig', kubeconfig({ token: 'two' }));
  expect(source.current().token).toBe('two');
});

test('between two looks the file is left alone, and refresh looks at once', () => {
  const path = put('kubeconfig', kubeconfig({ token: 'one' }));
  const source = kubeconfigFile(path, { trust: 'trusted', checkEveryMs: 3_600_000 });
  put('kubeconfig', kubeconfig({ token: 'two' }));
  expect(source.current().token).toBe('one');
  expect(source.refresh().token).toBe('two');
});

test('a kubeconfig replaced right after it was read is noticed at the next look', () => {
  const path = put('kubeconfig', kubeconfig({ token: 'one' }));
  const source = kubeconfigFile(path, always);
  put('kubeconfig', kubeconfig({ token: 'two' }));
  const { readFileSync } = fs;
  fs.readFileSync = ((...args: Parameters<typeof readFileSync>) => {
    const text = readFileSync(...args);
    put('kubeconfig', kubeconfig({ token: 'three' }));
    return text;
  }) as typeof readFileSync;
  syncBuiltinESMExports();
  try {
    expect(source.current().token).toBe('two');
  } finally {
    fs.readFileSync = readFileSync;
    syncBuiltinESMExports();
  }
  expect(source.current().token).toBe('three');
});

test('a bad rotation keeps the last good access and is told once', () => {
  const path = put('kubeconfig', kubeconfig({ token: 'one' }));
  const told: KubeconfigError[] = [];
  const source = kubeconfigFile(path, { ...always, onInvalid: (error) => told.push(error) });
  put('kubeconfig', 'current-context: [');
  expect(source.current().token).toBe('one');
  expect(source.current().token).toBe('one');
  expect(told.map((error) => error.reason)).toEqual(['Malformed']);
  rmSync(path);
  for (let n = 0; n < 3; n++) expect(source.current().token).toBe('one');
  expect(told.map((error) => error.reason)).toEqual(['Malformed', 'Unreadable']);
  put('kubeconfig', kubeconfig({ token: 'three' }));
  expect(source.current().token).toBe('three');
  rmSync(path);
  expect(source.current().token).toBe('three');
  expect(told.map((error) => error.reason)).toEqual(['Malformed', 'Unreadable', 'Unreadable']);
});

test('the kubeconfig of a worker may be missing or unusable at first: calls fail until it is put right', () => {
  const path = put('kubeconfig', 'current-context: [');
  const source = workerCredentials(path, () => undefined);
  expect(() => source.current()).toThrow(KubeconfigError);
  rmSync(path);
  expect(() => source.refresh()).toThrow(KubeconfigError);
  put('kubeconfig', kubeconfig({ token: 'one' }));
  expect(source.current().token).toBe('one');
});

test('a replaced token file that a kubeconfig names is taken', () => {
  put('token', 'one\n');
  const path = put('kubeconfig', kubeconfig({ tokenFile: 'token' }));
  const source = kubeconfigFile(path, always);
  expect(source.current().token).toBe('one');
  put('token', 'two\n');
  expect(source.current().token).toBe('two');
  put('token', 'three\n');
  expect(source.current().token).toBe('three');
});

test('a file that a replaced kubeconfig names is taken when it comes after it', () => {
  const path = put('kubeconfig', kubeconfig({ token: 'one' }));
  const told: KubeconfigError[] = [];
  const source = kubeconfigFile(path, { ...always, onInvalid: (error) => told.push(error) });
  put('kubeconfig', kubeconfig({ tokenFile: 'token' }));
  for (let n = 0; n < 3; n++) expect(source.current().token).toBe('one');
  const times = told.length;
  expect(source.current().token).toBe('one');
  expect(told).toHaveLength(times);
  put('token', 'two');
  expect(source.current().token).toBe('two');
});

test('a mounted Secret is followed through its links', () => {
  for (const version of ['..1', '..2']) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'kubeconfig'), kubeconfig({ token: version }));
  }
  symlinkSync('..1', join(folder, '..data'));
  symlinkSync('..data/kubeconfig', join(folder, 'kubeconfig'));
  const source = kubeconfigFile(join(folder, 'kubeconfig'), { trust: 'untrusted', checkEveryMs: 0 });
  expect(source.current().token).toBe('..1');
  symlinkSync('..2', join(folder, '..data.new'));
  renameSync(join(folder, '..data.new'), join(folder, '..data'));
  expect(source.current().token).toBe('..2');
});

test('a kubeconfig that cannot be used at the start is an error', () => {
  expect(() => kubeconfigFile(join(folder, 'none'), always)).toThrow(KubeconfigError);
  expect(() => kubeconfigFile(put('kubeconfig', '{}'), always)).toThrow('no current-context');
});

test("the pod's service account: address from the environment, token and authority followed", () => {
  put('ca.crt', 'authority one');
  put('token', 'one');
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
  const source = inClusterCredentials({ env, folder, checkEveryMs: 0 });
  expect(source.current()).toEqual({ server: 'https://[fd00::1]:6443', ca: 'authority one', token: 'one' });
  put('token', 'two');
  put('ca.crt', 'authority two');
  expect(source.current()).toMatchObject({ token: 'two', ca: 'authority two' });
  put('ca.crt', 'authority three');
  expect(source.current().ca).toBe('authority three');
});

test('outside a pod the service account says what to do', () => {
  expect(() => inClusterCredentials({ env: {}, folder })).toThrow('not running in a pod');
});
