/** Sessions of a pod as figures need them: opened over WebSocket at an API server, with times and bytes. */
import type { KubeClient } from '@kubeocean/shared/kube';
import { pathOf, Pods } from '@kubeocean/shared/kube';
import WebSocket from 'ws';

export interface PodRef {
  client: KubeClient;
  namespace: string;
  name: string;
}

export interface Exec {
  /** Milliseconds from the first byte sent to the first byte of output. */
  firstByteMs: number;
  /** Milliseconds until the session was over. */
  totalMs: number;
  bytes: number;
  /** True when the command ended with 0. */
  succeeded: boolean;
  /** What the API server said of its end. */
  told: string;
}

/** Longer than anything measured takes. */
const PATIENCE_MS = 120_000;

/** Opens a stream of the API server on a connection of its own. */
function open(
  { client, namespace, name }: PodRef,
  subresource: string,
  query: URLSearchParams,
  protocol: string,
): WebSocket {
  const { url, headers, agent } = client.transport.connection();
  const path = pathOf(Pods, namespace, name, subresource);
  const socket = new WebSocket(`wss://${url.host}${path}?${query.toString()}`, [protocol], {
    agent,
    headers,
    perMessageDeflate: false,
  });
  socket.binaryType = 'nodebuffer';
  return socket;
}

/** The protocol of kubectl since 1.30, which API servers put into SPDY for kubelets. */
const EXEC_PROTOCOL = 'v5.channel.k8s.io';

function execQuery(command: readonly string[], container: string): URLSearchParams {
  const query = new URLSearchParams({ container, stdout: 'true' });
  for (const argument of command) query.append('command', argument);
  return query;
}

/** Runs a command to its end and reads its output. @throws Error when the session breaks off. */
export function exec(pod: PodRef, command: readonly string[], container = 'main'): Promise<Exec> {
  const { promise, resolve, reject } = Promise.withResolvers<Exec>();
  const started = performance.now();
  const socket = open(pod, 'exec', execQuery(command, container), EXEC_PROTOCOL);
  let firstByteMs: number | undefined;
  let bytes = 0;
  let told: string | undefined;
  socket.on('message', (data: Buffer) => {
    // Channel 1 is standard output, 3 how it ended.
    if (data[0] === 1 && data.length > 1) {
      firstByteMs ??= performance.now() - started;
      bytes += data.length - 1;
    } else if (data[0] === 3) {
      told = data.subarray(1).toString();
    }
  });
  const patience = setTimeout(() => {
    reject(new Error(`a session with ${pod.name} has not ended in ${PATIENCE_MS / 1000} s, after ${bytes} bytes`));
    socket.terminate();
  }, PATIENCE_MS);
  socket.on('error', reject);
  socket.on('close', () => {
    clearTimeout(patience);
    if (told === undefined) {
      reject(new Error(`the session with ${pod.name} broke off after ${bytes} bytes`));
      return;
    }
    const succeeded = (JSON.parse(told) as { status?: string }).status === 'Success';
    const totalMs = performance.now() - started;
    resolve({ firstByteMs: firstByteMs ?? Number.NaN, totalMs, bytes, succeeded, told });
  });
  return promise;
}

/**
 * Reads a log to its end as Kubernetes' conformance test does that calls it "over websockets" (test/e2e/common/node/pods.go).
 * @throws Error when the connection breaks off instead of being closed.
 */
export function readLogByWebSocket(pod: PodRef, container = 'main'): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = open(pod, 'log', new URLSearchParams({ container }), 'binary.k8s.io');
  let text = '';
  socket.on('message', (data: Buffer) => (text += data.toString()));
  socket.on('error', reject);
  socket.on('close', (code) => {
    // 1006: gone without a word; API servers before 1.31 end so as well, and what matters then is what arrived.
    if (code === 1000 || code === 1005 || code === 1006) resolve(text);
    else reject(new Error(`the log of ${pod.name} was closed with ${code} after ${text.length} bytes`));
  });
  return promise;
}

/** Opens a session that does nothing. Resolves once its command runs. */
export function idle(pod: PodRef): Promise<{ close(): void }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ close(): void }>();
  const socket = open(pod, 'exec', execQuery(['sh', '-c', 'echo; exec sleep 3600'], 'main'), EXEC_PROTOCOL);
  let told = 'without a word';
  const patience = setTimeout(() => {
    reject(new Error(`a session with ${pod.name} has not begun in ${PATIENCE_MS / 1000} s`));
    socket.terminate();
  }, PATIENCE_MS);
  socket.on('error', reject);
  socket.on('close', () => {
    clearTimeout(patience);
    reject(new Error(`a session with ${pod.name} ended before its command ran: ${told}`));
  });
  socket.on('message', (data: Buffer) => {
    if (data[0] === 3) told = data.subarray(1).toString();
    if (data[0] !== 1 || data.length === 1) return;
    clearTimeout(patience);
    resolve({ close: () => socket.terminate() });
  });
  return promise;
}

/** Milliseconds that each of `count` bytes took to a port that sends back what it gets, one after the other. */
export async function roundTrips(pod: PodRef, port: number, count: number): Promise<number[]> {
  const socket = open(pod, 'portforward', new URLSearchParams({ ports: String(port) }), 'v4.channel.k8s.io');
  const times: number[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let sent = 0;
  const send = () => {
    sent = performance.now();
    socket.send(Buffer.from([0, 120]));
  };
  let opened = 0;
  socket.on('message', (data: Buffer) => {
    // Each channel begins with the port's number: 0 carries data, 1 errors.
    if (opened < 2) {
      opened++;
      if (opened === 2) send();
    } else if (data[0] === 1) {
      reject(new Error(data.subarray(1).toString()));
    } else if (data.length > 1) {
      times.push(performance.now() - sent);
      if (times.length < count) send();
      else resolve();
    }
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`the port-forward to ${pod.name} broke off after ${times.length} bytes`)));
  try {
    await promise;
  } finally {
    socket.terminate();
  }
  return times;
}
