/**
 * Who may what at the port of a vnode: a table of callers × endpoints, and each way around it that is known. Every
 * request goes straight to the port; the rights are asked of the real API server.
 */
import { connect as connectTcp } from 'node:net';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, Label } from '@kubeocean/shared/api';
import { ClusterRoleBindings, ConfigMaps, type KubeObject, Nodes, Pods, ServiceAccounts } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, test } from 'vitest';
import { certificateFolder } from './clusters/local/context.ts';
import { cleanup, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { WEBSOCKET } from './proxier/ask.ts';
import { type Caller, make, ownCertificate, tokenOf } from './proxier/callers.ts';
import { endpointsOf, NOT_ADMIN, podPaths, RIGHTS } from './proxier/endpoints.ts';
import { vnodeObject } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';
import { connected, ELSEWHERE, handshake, MALFORMED } from './proxier/tricks.ts';

const pod = 'web';
let rig: Rig;
let proxier: RunningProcess;
let vnode = '';
let otherVnode = '';
const callers: Record<string, Caller> = { nobody: {} };
const exec = () => podPaths(rig.id, pod).exec;
const attach = () => podPaths(rig.id, pod).attach;
const forward = () => podPaths(rig.id, pod).forward;
const logs = () => podPaths(rig.id, pod).logs;

beforeAll(async () => {
  rig = await makeRig('access');
  [vnode = '', otherVnode = ''] = rig.vnodes;
  await rig.makePod(pod);
  proxier = await rig.serve();
  await Promise.all(
    Object.entries(RIGHTS).map(async ([user, right]) => {
      if (right.verbs.length > 0) await rig.grant(user, right);
      callers[user] = await rig.certificate(user);
    }),
  );
  await rig.running(pod);
});

const as = (name: string) => callers[name] as Caller;

describe('callers × endpoints', () => {
  test.each(['nobody', ...Object.keys(RIGHTS)])('%s', async (caller) => {
    const [seen, expected]: [Record<string, number>, Record<string, number>] = [{}, {}];
    for (const [name, { path, code, may, ...how }] of Object.entries(endpointsOf(rig.id, pod))) {
      seen[name] = (await rig.ask(path, as(caller), how)).code;
      const allowed = may.includes(caller) || (caller === 'admin' && !NOT_ADMIN.has(name));
      expected[name] = caller === 'nobody' ? 401 : allowed ? code : 403;
    }
    expect(seen).toEqual(expected);
  });

  test('are refused in a kubelet’s words', async () => {
    expect(await rig.ask(logs(), as('nobody'))).toMatchObject({ code: 401, text: 'Unauthorized\n' });
    expect(await rig.ask(logs(), as('stranger'))).toMatchObject({
      code: 403,
      text: 'Forbidden (user=stranger, verb=get, resource=nodes, subresource(s)=[proxy])\n',
    });
    expect((await rig.ask('/pods', as('stranger'))).text).toContain('subresource(s)=[pods proxy])');
  });

  test('rights on one vnode are none on another', async () => {
    await rig.grant('one', { verbs: ['get'], resources: ['nodes/proxy'], resourceNames: [vnode] });
    const one = await rig.certificate('one');
    expect((await rig.ask('/nothing', one)).code).toBe(404);
    expect((await rig.ask('/nothing', one, { vnode: otherVnode })).code).toBe(403);
  });
});

test('a right that is taken away opens no session any more, at once', async () => {
  const user = uniqueName('leaver');
  const right = await rig.grant(user, { verbs: ['create'], resources: ['nodes/proxy'] });
  const leaver = await rig.certificate(user);
  const asked = async () => (await rig.ask(exec(), leaver, { headers: WEBSOCKET })).code;
  await waitFor('the right to count', async () => (await asked()) === 101);
  await rig.home.delete(ClusterRoleBindings, '', right);
  // Only the API server's own authoriser has to hear of it; an answer held by us would be given for a minute.
  await waitFor('the refusal', async () => (await asked()) === 403, { timeoutMs: 20_000, everyMs: 250 });
});

describe('tokens', () => {
  test('are reviewed: whose they are, what they are for; a certificate goes before', async () => {
    expect((await rig.ask(logs(), { token: 'nonsense' })).code).toBe(401);
    const name = uniqueName('caller');
    await make(rig.home, ServiceAccounts, { metadata: { namespace: rig.id, name } });
    const token = await tokenOf(rig.home, rig.id, name);
    const user = `system:serviceaccount:${rig.id}:${name}`;
    expect((await rig.ask(logs(), { token })).text).toContain(`Forbidden (user=${user},`);
    expect((await rig.ask(logs(), { token, ...as('looker') })).code).toBe(200);
    const forOthers = await tokenOf(rig.home, rig.id, name, ['somebody-else']);
    expect((await rig.ask(logs(), { token: forOthers })).code).toBe(401);
    for (const authorization of [`Basic ${token}`, token, `Bearer ${token} x`, `Bearer  `, `Bearer ${token},x`]) {
      expect((await rig.ask(logs(), {}, { headers: { authorization } })).code, authorization.slice(0, 8)).toBe(401);
    }
    // Rights given later are seen: refusals are not held for long.
    await rig.grant({ namespace: rig.id, name }, { verbs: ['get'], resources: ['nodes/proxy'] });
    await waitFor('the new right', async () => (await rig.ask(logs(), { token })).code === 200, { everyMs: 500 });
  });
});

describe('names that are not theirs', () => {
  test('headers of the aggregation layer and impersonation mean nothing', async () => {
    const headers = {
      'x-remote-user': 'admin',
      'x-remote-group': 'system:masters',
      'x-remote-extra-scopes': 'all',
      'impersonate-user': 'admin',
      'impersonate-group': 'system:masters',
    };
    expect((await rig.ask(logs(), as('nobody'), { headers })).code).toBe(401);
    expect((await rig.ask(logs(), as('stranger'), { headers })).code).toBe(403);
    expect((await rig.ask(exec(), as('looker'), { headers: { ...headers, ...WEBSOCKET } })).code).toBe(403);
  });

  test('a certificate of another CA: 401', async () => {
    const { cert, key } = await ownCertificate('/O=system:masters/CN=admin');
    expect((await rig.ask(logs(), { cert, key })).code).toBe(401);
  });

  test('the certificate of the aggregation layer, whose CA vouches for other names: 401', async (context) => {
    // Address 10.(200+index).0.11, see docs/development.md.
    const index = Number(new URL(rig.home.transport.server).hostname.split('.')[1]) - 200;
    const folder = certificateFolder(index, { name: 'computing' });
    const file = (name: string) => join(folder, name);
    if (!existsSync(file('front-proxy-ca.key'))) context.skip('only the local provider has its key at hand');
    const ca = { certFile: file('front-proxy-ca.crt'), keyFile: file('front-proxy-ca.key') };
    const headers = { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' };
    for (const subject of ['/CN=front-proxy-client', '/O=system:masters/CN=admin']) {
      const { cert, key } = await ownCertificate(subject, ca);
      expect((await rig.ask(logs(), { cert, key }, { headers })).code, subject).toBe(401);
    }
  });

  test('another client CA is taken up, and given up, without a restart', async () => {
    const name = 'extension-apiserver-authentication';
    const ca = await ownCertificate('/CN=another client CA');
    const { cert, key } = await ownCertificate('/CN=looker', { certFile: ca.certFile, keyFile: ca.keyFile });
    expect((await rig.ask(logs(), { cert, key })).code).toBe(401);
    const put = (bundle: string) =>
      rig.home.patch(ConfigMaps, 'kube-system', name, { data: { 'client-ca-file': bundle } });
    const back = () => put(rig.clusterCa);
    cleanup(back);
    await put(`${rig.clusterCa.trim()}\n${ca.cert}`);
    await waitFor('the new CA to count', async () => (await rig.ask(logs(), { cert, key })).code === 200);
    expect((await rig.ask(logs(), as('looker'))).code).toBe(200);
    await back();
    await waitFor('the old one to be alone', async () => (await rig.ask(logs(), { cert, key })).code === 401);
    expect((await rig.ask(logs(), as('looker'))).code).toBe(200);
  });
});

describe('pods that are not the vnode’s', () => {
  const missing = { code: 404, text: `pod "${pod}" does not exist\n` };

  test('a pod of another vnode: 404 for all that is asked about it', async () => {
    const how = { vnode: otherVnode };
    expect(await rig.ask(logs(), as('admin'), how)).toMatchObject(missing);
    for (const path of [exec(), attach(), forward()]) {
      const answer = await rig.ask(path, as('admin'), { ...how, headers: WEBSOCKET });
      expect(answer, path).toMatchObject({ code: 404, text: 'pod does not exist\n' });
    }
    const names = async (on: string) => {
      const { text } = await rig.ask('/pods', as('admin'), { vnode: on });
      return (JSON.parse(text) as { items: KubeObject[] }).items.map(({ metadata }) => metadata.name);
    };
    expect([await names(vnode), await names(otherVnode)]).toEqual([[pod], []]);
  });

  test('a pod of a real node and a vnode of another binding are not reached', async () => {
    const [node] = (await rig.home.list(Nodes, { labelSelector: 'type!=virtual-kubelet' })).items;
    const containers = [{ name: 'main', image: 'busybox:1.35', command: ['sleep', '600'] }];
    await rig.makePod('real', { vnode: node?.metadata.name as string, alone: true, spec: { containers } });
    const path = `/containerLogs/${rig.id}/real/main`;
    expect(await rig.ask(path, as('admin'))).toMatchObject({ code: 404, text: 'pod "real" does not exist\n' });

    const port = rig.portOf(otherVnode) + 1;
    await make(rig.home, Nodes, {
      metadata: {
        name: `${rig.id}-foreign`,
        labels: {
          [Label.clusterBinding]: rig.id,
          [Label.bindingUID]: '00000000-0000-0000-0000-000000000000',
          [Label.proxierPort]: String(port),
        },
      },
    });
    // One of ours that came after it is served, so that it was looked at by then.
    const [later, laterPort] = [`${rig.id}-later`, port + 1];
    const binding = { name: rig.id, uid: rig.bindingUID };
    await make(rig.home, Nodes, vnodeObject({ name: later, port: laterPort, binding, address: rig.hostIP }));
    await proxier.waitLog('the later one', ({ msg, vnode: of }) => msg === 'vnode served' && of === later);
    expect(await connected({ host: rig.hostIP, port: laterPort })).toBe('connected');
    expect(await connected({ host: rig.hostIP, port })).toBe('ECONNREFUSED');
  });

  test('a namesake in the worker that belongs to another home pod is not reached', async () => {
    const { metadata } = await rig.home.get(Pods, rig.id, pod);
    const annotate = (uid: string) =>
      rig.worker.patch(Pods, rig.mount, rig.workerNameOf(pod), {
        metadata: { annotations: { [Annotation.virtualPodUID]: uid } },
      });
    await annotate('00000000-0000-0000-0000-000000000000');
    try {
      const text = expect.stringContaining('has no container in the worker cluster: it has not') as string;
      expect(await rig.ask(logs(), as('admin'))).toMatchObject({ code: 400, text });
      expect(await rig.ask(exec(), as('admin'), { headers: WEBSOCKET })).toMatchObject({ code: 404, text });
      // As their user reads them: API server and kubectl keep some words to themselves.
      for (const command of [
        ['logs', pod, '-c', 'main'],
        ['exec', pod, '-c', 'main', '--', 'true'],
      ]) {
        expect((await rig.kubectl(command)).stderr).toContain('has no container in the worker cluster: it has not');
      }
    } finally {
      await annotate(metadata.uid as string);
    }
  });

  test('what users write on their pod does not redirect anything', async () => {
    await rig.home.patch(Pods, rig.id, pod, {
      metadata: {
        annotations: {
          [Annotation.physicalPodName]: 'another',
          [Annotation.physicalPodNamespace]: 'kube-system',
          [Annotation.physicalPodUID]: 'x',
        },
      },
    });
    expect((await rig.ask(logs(), as('admin'))).code).toBe(200);
  });
});

describe('tricks of HTTP and TLS', () => {
  const upgrade = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
  const where = () => ({ host: rig.hostIP, port: rig.portOf(vnode) });

  test.each(MALFORMED)('path %.60s: 400, for those who may nothing too', async (path) => {
    expect((await rig.ask(path, as('looker'))).code).toBe(400);
    expect((await rig.ask(path, as('stranger'))).code).toBe(400);
  });

  test.each(ELSEWHERE)('path %s opens nothing', async (path) => {
    expect([403, 404]).toContain((await rig.ask(path, as('looker'), { headers: WEBSOCKET })).code);
    expect((await rig.ask(path, as('stranger'))).code).toBe(403);
  });

  test('an upgrade that carries a body is refused', async () => {
    const refused = { code: 400, text: 'unable to upgrade: the request carries a body\n' };
    const how = { method: 'POST', body: 'hello' };
    expect(
      await rig.ask(exec(), as('admin'), { ...how, headers: { ...upgrade, 'content-length': '5' } }),
    ).toMatchObject(refused);
    const chunked = { ...upgrade, 'transfer-encoding': 'chunked' };
    expect(await rig.ask(exec(), as('admin'), { ...how, headers: chunked })).toMatchObject(refused);
  });

  test('a protocol that is none of Kubernetes’ is refused', async () => {
    for (const protocol of ['h2c', 'TLS/1.2', 'SPDY/2', 'websocket, SPDY/3.1']) {
      const headers = { connection: 'Upgrade', upgrade: protocol };
      expect((await rig.ask(exec(), as('admin'), { method: 'POST', headers })).code, protocol).toBe(400);
    }
  });

  test('headers of more than 1 MiB are refused, of less read', async () => {
    // The rest that is on its way may reset the connection before the answer is read.
    const much = rig.ask('/healthz', as('looker'), { headers: { 'x-much': 'x'.repeat(1_200_000) } });
    expect(
      await much.then(
        ({ code }) => code,
        (error: NodeJS.ErrnoException) => error.code,
      ),
    ).toBeOneOf([431, 'ECONNRESET', 'EPIPE']);
    expect((await rig.ask('/healthz', as('looker'), { headers: { 'x-much': 'x'.repeat(500_000) } })).code).toBe(200);
  });

  test('TLS 1.2 and 1.3 are spoken, nothing older, and plain HTTP never', async () => {
    expect(await handshake(where(), { maxVersion: 'TLSv1.3' })).toBe('TLSv1.3');
    expect(await handshake(where(), { maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
    const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    for (const maxVersion of ['TLSv1.1', 'TLSv1'] as const) {
      expect(await handshake(where(), { ...old, maxVersion }), maxVersion).toMatch(/ERR_SSL|ECONNRESET|alert|EPROTO/);
    }
    const closed = Promise.withResolvers<string>();
    let text = '';
    const socket = connectTcp(where());
    socket.on('data', (chunk) => (text += chunk.toString('latin1'))).on('error', () => undefined);
    socket.on('close', () => closed.resolve(text));
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await closed.promise).not.toContain('HTTP');
  });

  test('nothing of all this has ended the process', () => {
    expect(proxier.exit).toBeUndefined();
  });
});
