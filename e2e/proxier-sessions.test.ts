/** Sessions of the proxier from their beginning to their end: audit, limits, and everything that ends one. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { workerName } from '@kubeocean/shared/api';
import { Nodes, Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { type RunningProcess, waitFor } from './harness/index.ts';
import { WEBSOCKET } from './proxier/ask.ts';
import type { Caller } from './proxier/callers.ts';
import { openSessions } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

let rig: Rig;
let proxier: RunningProcess;
let admin: Caller;
let vnode = '';
let otherVnode = '';

const sleeping = (pod: string) => `/exec/${rig.id}/${pod}/main?command=sleep&command=600&output=1`;
/** Never idle. */
const talking = (pod: string) => {
  const script = encodeURIComponent('while true; do echo a; sleep 1; done');
  return `/exec/${rig.id}/${pod}/main?command=sh&command=-c&command=${script}&output=1`;
};

/** Opens an exec session; resolves with its socket once it runs. */
async function open(pod: string, on: string, session = sleeping): Promise<Socket> {
  let socket: Socket | undefined;
  const onSession = (opened: Socket) => (socket = opened.on('data', () => undefined));
  const { code } = await rig.ask(session(pod), admin, { vnode: on, headers: WEBSOCKET, onSession });
  expect(code).toBe(101);
  return socket as Socket;
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

function audit(what: string, matches: Record<string, unknown>): Promise<Record<string, unknown>> {
  return proxier.waitLog(
    what,
    (line) => line['audit'] === 'session' && Object.entries(matches).every(([key, value]) => line[key] === value),
    60_000,
  );
}

beforeAll(async () => {
  rig = await makeRig('sessions');
  [vnode = '', otherVnode = ''] = rig.vnodes;
  await Promise.all([
    ...['web', 'deleted', 'forced'].map((name) => rig.makePod(name)),
    rig.makePod('other', { vnode: otherVnode }),
  ]);
  [admin] = await Promise.all([rig.admin(), ...['web', 'deleted', 'forced', 'other'].map((name) => rig.running(name))]);
});

describe('one session, one line', () => {
  beforeAll(async () => {
    proxier = await rig.serve();
  });

  test('with who, what, how long and how much; no argument, token, input or output in any line', async () => {
    const script = 'echo the-secret-$((40+2)); cat';
    const result = await rig.kubectl(['exec', '-i', 'web', '-c', 'main', '--', 'sh', '-c', script, 'the-argument'], {
      input: 'the-input\n',
    });
    expect(result.stdout).toBe('the-secret-42\nthe-input\n');
    expect(await audit('the line of the exec', { verb: 'exec', command: 'sh' })).toMatchObject({
      user: 'kube-apiserver-kubelet-client',
      pod: `${rig.id}/web`,
      workerPod: workerName(rig.bindingUID, rig.id, 'web'),
      container: 'main',
      vnode,
      seconds: expect.any(Number) as number,
      bytesUp: expect.any(Number) as number,
      reason: expect.stringMatching(/ended|closed/) as string,
    });
    await rig.kubectl(['logs', 'web', '-c', 'main', '--limit-bytes=14']);
    expect(await audit('the line of the log', { verb: 'logs' })).toMatchObject({ bytesDown: 14, reason: 'log ended' });
    await rig.ask(`/containerLogs/${rig.id}/web/main?tailLines=the-query`, { token: 'the.to.ken' });
    const all = proxier.tail(10_000);
    expect(all).not.toMatch(
      /the-secret|the-argument|the-input|the-query|the\.to\.ken|Bearer|eyJ|line [1-5]|tick|BEGIN/,
    );
  });

  test('a deleted pod’s sessions end by themselves, with the codes of a kubelet', async () => {
    const exec = rig.kubectl(['exec', 'deleted', '-c', 'main', '--', 'sleep', '600']);
    const logs = rig.kubectl(['logs', '-f', '--tail=1', 'deleted', '-c', 'silent']);
    await waitFor('both sessions', async () => (await openSessions(proxier)) === 2);
    // What the syncer does: the home pod goes when its containers have ended.
    const name = rig.workerNameOf('deleted');
    await rig.worker.delete(Pods, rig.mount, name, { gracePeriodSeconds: 1 });
    expect(await exec).toMatchObject({
      status: 137,
      stderr: expect.stringMatching(/terminated with exit code 137/) as string,
    });
    expect(await logs).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('a session in what is left of a pod that home does not have any more is ended', async () => {
    const [exec, logs] = [
      rig.kubectl(['exec', 'forced', '-c', 'main', '--', 'sleep', '600']),
      rig.kubectl(['logs', '-f', '--tail=1', 'forced', '-c', 'main']),
    ];
    const stays = await open('web', vnode);
    await waitFor('the sessions', async () => (await openSessions(proxier)) === 3);
    await rig.home.delete(Pods, rig.id, 'forced', { gracePeriodSeconds: 0 });
    const ended = await exec;
    expect(ended).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/before its command did: the pod is gone/),
    });
    // kubectl ends a log that breaks off without a word; so it does with a kubelet's.
    await logs;
    await audit('the line of the exec', { verb: 'exec', pod: `${rig.id}/forced`, reason: 'the pod is gone' });
    await audit('the line of the log', { verb: 'logs', pod: `${rig.id}/forced`, reason: 'the pod is gone' });
    expect(stays.destroyed).toBe(false);
    stays.destroy();
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0);
  });

  test('a session goes on while the process drains; readiness falls at once', async () => {
    await proxier.stop();
    proxier = await rig.serve({ flags: ['--drain-seconds=60'] });
    const running = rig.kubectl(['exec', 'web', '-c', 'main', '--', 'sh', '-c', 'sleep 6; echo done']);
    const health = await proxier.health();
    await waitFor('the session', async () => (await openSessions(proxier)) === 1);
    process.kill(proxier.pid, 'SIGTERM');
    await waitFor('not ready', async () => (await fetch(`${health}/readyz`)).status === 503);
    // The vnodes name no other replica yet: new sessions are served as well.
    expect((await rig.kubectl(['logs', 'web', '-c', 'main', '--tail=1'])).status).toBe(0);
    expect((await running).stdout).toBe('done\n');
    for (const name of rig.vnodes) {
      await rig.home.patch(Nodes, '', name, { status: { addresses: [] } }, { subresource: 'status' });
    }
    expect(await proxier.ended).toBe(0);
    const addresses = [{ type: 'InternalIP', address: rig.hostIP }];
    for (const name of rig.vnodes) {
      await rig.home.patch(Nodes, '', name, { status: { addresses } }, { subresource: 'status' });
    }
  });
});

describe('limits', () => {
  beforeAll(async () => {
    await proxier.stop();
    const flags = ['--session-limit-per-vnode=2', '--session-limit=3', '--session-idle-seconds=5'];
    proxier = await rig.serve({ flags: [...flags, '--session-max-seconds=15'] });
  });

  test('idle and absolute, over both protocols, though clients keep their connections alive', async () => {
    const kubectl = (pod: string, script: string, websockets: string) =>
      rig.kubectl(['exec', pod, '-c', 'main', '--', 'sh', '-c', script], {
        env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets },
      });
    const idle = () =>
      proxier.logs().filter(({ reason }) => reason === 'nothing was sent for 5 s (--session-idle-seconds)');
    // An earlier try may have ended some.
    const before = idle().length;
    const ended = await Promise.all([
      kubectl('web', 'echo a; sleep 600', 'true'),
      kubectl('web', 'echo a; sleep 600', 'false'),
      kubectl('other', 'while true; do echo a; sleep 1; done', 'true'),
    ]);
    for (const { status, stdout, stderr } of ended) {
      expect(stdout).toMatch(/^a\n/);
      // Without a word of ours kubectl would take the end for success.
      expect(stderr).toMatch(/the session has ended before its command did: .*--session-(idle|max)-seconds/);
      expect(status).toBe(1);
    }
    await waitFor('the lines of the idle ones', () => idle().length === before + 2);
    await audit('the line of the other', { pod: `${rig.id}/other`, reason: 'open for 15 s (--session-max-seconds)' });
  });

  test('a session more than the limits: 429 for the vnode, 503 for the process, with the flag that says so', async () => {
    await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0);
    // Of sessions that are silent for 5 s there would be fewer by the time that kubectl asks, if the machine is busy.
    const sockets = [await open('web', vnode, talking), await open('web', vnode, talking)];
    const options = { vnode, headers: WEBSOCKET };
    expect(await rig.ask(sleeping('web'), admin, options)).toMatchObject({
      code: 429,
      text: `${vnode} has all its 2 sessions open (--session-limit-per-vnode)\n`,
    });
    const through = await rig.kubectl(['exec', 'web', '-c', 'main', '--', 'true']);
    expect(through.stderr).toMatch(/has all its 2 sessions open/);
    expect(through.status).toBe(1);
    sockets.push(await open('other', otherVnode, talking));
    expect(await rig.ask(sleeping('other'), admin, { ...options, vnode: otherVnode })).toMatchObject({
      code: 503,
      text: expect.stringContaining('"message":"this proxier has all its 3 sessions open (--session-limit)"') as string,
    });
    // What is no session is answered all the same.
    expect((await rig.ask('/healthz', admin)).code).toBe(200);
    for (const socket of sockets) socket.destroy();
    await waitFor('the places to be free', async () => (await openSessions(proxier)) === 0);
    expect((await rig.kubectl(['exec', 'web', '-c', 'main', '--', 'true'])).status).toBe(0);
  });
});

describe('the end', () => {
  beforeAll(async () => {
    await proxier.stop();
    proxier = await rig.serve();
  });

  test('a worker that refuses our credential is not taken for a refusal of the caller; a new one is taken up', async () => {
    const path = await rig.kubeconfigFor(rig.worker, rig.mount, 'kubeocean-syncer');
    const good = readFileSync(path, 'utf8');
    const logs = () => rig.ask(`/containerLogs/${rig.id}/web/main?tailLines=1`, admin);
    writeFileSync(path, good.replace(/"token":"[^"]*"/, '"token":"revoked"'));
    const refused = await waitFor('the refusal', async () => {
      const answer = await logs();
      return answer.code === 200 ? undefined : answer;
    });
    expect(refused).toMatchObject({
      code: 502,
      text: expect.stringMatching(/refuses Kubeocean's own credential/) as string,
    });
    writeFileSync(path, good);
    await waitFor('the logs', async () => (await logs()).code === 200);
  });

  test('a vnode that goes takes its sessions and its port along, and no other’s; then the process ends the rest', async () => {
    const [session, other] = [await open('web', vnode), await open('other', otherVnode)];
    const ended = closed(session);
    const { metadata, spec, ...rest } = await rig.home.get(Nodes, '', vnode);
    await rig.home.delete(Nodes, '', vnode);
    await ended;
    await audit('the audit line', { reason: 'the vnode is gone' });
    await expect(rig.ask('/healthz', admin)).rejects.toThrow(/ECONNREFUSED/);
    expect((await rig.ask('/healthz', admin, { vnode: otherVnode })).code).toBe(200);
    expect(other.destroyed).toBe(false);

    // Made again, it is served again.
    const { name, labels } = metadata;
    await rig.home.create(Nodes, { metadata: { name, labels: labels ?? {} }, spec, status: rest['status'] });
    await waitFor('the port', async () => (await rig.ask('/healthz', admin)).code === 200);

    const last = closed(other);
    process.kill(proxier.pid, 'SIGTERM');
    await last;
    expect(await proxier.ended).toBe(0);
    await audit('the last line', { reason: 'the proxier stopped' });
  });
});
