/**
 * Clients that are no kubectl: programs made with @kubernetes/client-node, and the terminals of dashboards, which speak
 * the older WebSocket protocols and show their token as one. On a vnode's pod and on a real kubelet's the same.
 */
import { PassThrough, Readable } from 'node:stream';
import { Attach, Exec, KubeConfig, Log, PortForward, type V1Status } from '@kubernetes/client-node';
import { ClusterRoleBindings, ServiceAccounts } from '@kubeocean/shared/kube';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { container, makeTargets, onBoth, TARGETS, type Target, type Targets } from './clients/targets.ts';
import { ClusterRoles, kubeconfigOf, waitFor } from './harness/index.ts';
import { make, tokenOf } from './proxier/callers.ts';

let targets: Targets;
let config: KubeConfig;
let token: string;

beforeAll(async () => {
  targets = await makeTargets('node', {
    containers: [
      container('main', 'seq 1 5; httpd -p 8080 -h /etc; exec sleep 100000'),
      container('echo', 'while read line; do echo "heard $line"; done; exec sleep 100000', { stdin: true }),
    ],
  });
  config = new KubeConfig();
  config.loadFromFile(kubeconfigOf('computing'));
  token = await browserToken();
});

afterAll(() => {
  if (process.env['SHOW_LOG']) console.log(targets.proxier.tail(200));
});

/** A token of somebody who may open sessions in this namespace. */
async function browserToken(): Promise<string> {
  const { rig, namespace } = targets;
  await make(rig.home, ServiceAccounts, { metadata: { namespace, name: 'browser' } });
  const name = `${namespace}-browser`;
  await make(rig.home, ClusterRoles, {
    metadata: { name },
    rules: [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'] }],
  });
  await make(rig.home, ClusterRoleBindings, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', namespace, name: 'browser' }],
  });
  return tokenOf(rig.home, namespace, 'browser');
}

/** What was written to a stream so far. */
function collector(): { stream: PassThrough; text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  // A log that is given up fails in the client's own stream, which listens to nobody.
  stream.on('pipe', (source: Readable) => source.on('error', () => undefined));
  return { stream, text: () => text };
}

const patient = { timeoutMs: 60_000 };

describe('@kubernetes/client-node', () => {
  test('Exec: input, output, error output, exit code', async () => {
    const results = await onBoth(async (target) => {
      const [out, err] = [collector(), collector()];
      const { promise, resolve } = Promise.withResolvers<V1Status>();
      const command = ['sh', '-c', 'read line; echo "$line"; echo wrong >&2; exit 7'];
      const input = Readable.from(['some input\n']);
      await new Exec(config).exec(
        targets.namespace,
        target,
        'main',
        command,
        out.stream,
        err.stream,
        input,
        false,
        resolve,
      );
      const { status, details } = await promise;
      return { out: out.text(), err: err.text(), status, exit: details?.causes?.[0]?.message };
    });
    expect(results['on-vnode']).toEqual({ out: 'some input\n', err: 'wrong\n', status: 'Failure', exit: '7' });
    expect(results['on-kubelet']).toEqual(results['on-vnode']);
  });

  test('Attach: both directions', async () => {
    await onBoth(async (target) => {
      const [out, input] = [collector(), new PassThrough()];
      const word = `word-${String(process.hrtime.bigint())}`;
      const socket = await new Attach(config).attach(targets.namespace, target, 'echo', out.stream, null, input, false);
      onTestFinished(() => socket.close());
      const say = () => {
        if (out.text().includes(`heard ${word}`)) return true;
        input.write(`${word}\n`);
        return false;
      };
      await waitFor('what was said', say, { ...patient, everyMs: 500 });
    });
  });

  test('Log: the whole, its end, and what follows', async () => {
    const results = await onBoth(async (target) => {
      async function read(options: object, complete: (text: string) => boolean): Promise<string> {
        const out = collector();
        const abort = await new Log(config).log(targets.namespace, target, 'main', out.stream, options);
        await waitFor('the log', () => complete(out.text()), patient);
        abort.abort();
        return out.text();
      }
      return [
        await read({}, (text) => text.endsWith('5\n')),
        await read({ tailLines: 2, follow: true }, (text) => text.endsWith('5\n')),
        await read({ limitBytes: 4 }, (text) => text.length === 4),
      ];
    });
    expect(results['on-vnode']).toEqual(['1\n2\n3\n4\n5\n', '4\n5\n', '1\n2\n']);
    expect(results['on-kubelet']).toEqual(results['on-vnode']);
  });

  test('PortForward', async () => {
    const results = await onBoth(async (target) => {
      const [out, input] = [collector(), new PassThrough()];
      const socket = await new PortForward(config).portForward(
        targets.namespace,
        target,
        [8080],
        out.stream,
        null,
        input,
      );
      onTestFinished(() => (typeof socket === 'function' ? socket()?.close() : socket.close()));
      input.write('GET /passwd HTTP/1.0\r\n\r\n');
      await waitFor('an answer', () => out.text().includes('root:x:0:0'), patient);
      return out.text().split('\r\n')[0];
    });
    expect(results['on-vnode']).toMatch(/^HTTP\/1\.[01] 200 OK$/);
    expect(results['on-kubelet']).toBe(results['on-vnode']);
  });
});

/** The channels of a session; a terminal resizes by the fifth. */
const CHANNEL = { in: 0, out: 1, resize: 4 } as const;

/** A terminal as a web page opens one: nothing but a URL and protocols, of which one is the token. */
function openTerminal(target: Target, protocol: string) {
  const { transport } = targets.rig.home;
  const query = new URLSearchParams({ container: 'main', stdin: 'true', stdout: 'true', tty: 'true', command: 'sh' });
  const url = `${transport.server.replace(/^http/, 'ws')}/api/v1/namespaces/${targets.namespace}/pods/${target}/exec?${query.toString()}`;
  const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;
  const ca = transport.authority;
  const socket = new WebSocket(url, [protocol, bearer], { ...(ca && { ca }) });
  onTestFinished(() => socket.terminate());
  const base64 = protocol.includes('base64');
  let text = '';
  let failed: string | undefined;
  socket.on('message', (data: Buffer, isBinary) => {
    // Binary frames begin with the channel as a byte, texts with it as a digit before base64.
    const channel = isBinary ? data[0] : Number(data.subarray(0, 1).toString());
    const payload = isBinary ? data.subarray(1) : Buffer.from(data.subarray(1).toString(), 'base64');
    if (channel === CHANNEL.out) text += payload.toString();
  });
  socket.on('error', (error) => (failed = error.message));
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  return {
    closed,
    protocol: () => socket.protocol,
    send(channel: number, what: string) {
      if (base64) socket.send(`${channel}${Buffer.from(what).toString('base64')}`);
      else socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(what)]));
    },
    waitText: (pattern: RegExp) =>
      waitFor(
        String(pattern),
        () => {
          if (failed) throw new Error(failed);
          return pattern.test(text);
        },
        patient,
      ),
  };
}

describe.each(['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'base64.channel.k8s.io', 'channel.k8s.io'])(
  'a terminal in a browser that speaks %s',
  (protocol) => {
    test.each(TARGETS)('in %s: what is typed runs, it resizes, and it ends', async (target) => {
      const terminal = openTerminal(target, protocol);
      await terminal.waitText(/[#$] /);
      expect(terminal.protocol()).toBe(protocol);
      terminal.send(CHANNEL.in, 'echo answer $((6 * 7))\n');
      await terminal.waitText(/answer 42/);
      if (protocol.startsWith('v4.')) {
        terminal.send(CHANNEL.resize, JSON.stringify({ Width: 91, Height: 37 }));
        terminal.send(CHANNEL.in, 'until [ "$(stty size)" = "37 91" ]; do sleep 0.1; done; echo si""zed\n');
        await terminal.waitText(/sized/);
      }
      terminal.send(CHANNEL.in, 'exit\n');
      await terminal.closed;
    });
  },
);
