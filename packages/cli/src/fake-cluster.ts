/** An API server that answers what a test says, and the kubeconfig that leads to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { TestServer } from '@kubeocean/shared/testing';
import { runProgram } from './program.ts';

/** Gives the body of the answer; undefined: there is no such thing; a number: refused with this code. */
export type Answers = (call: { method: string; path: string; query: URLSearchParams }) => object | number | undefined;

export interface FakeCluster {
  kubeconfig: string;
  /** `METHOD path` of what was asked for. */
  calls: string[];
  /** What was sent with them, where anything was. */
  bodies: Record<string, unknown>;
  answers: Answers;
  stop: () => void;
}

const REASONS: Record<number, string> = { 403: 'Forbidden', 404: 'NotFound', 409: 'Conflict' };

export async function startCluster(): Promise<FakeCluster> {
  const server = await TestServer.start();
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-cli-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const access = server.access();
  writeFileSync(kubeconfig, kubeconfigText(access.server, access.ca ?? '', 'token'));
  const cluster: FakeCluster = {
    kubeconfig,
    calls: [],
    bodies: {},
    answers: () => undefined,
    stop: () => {
      server.stop();
      rmSync(folder, { recursive: true });
    },
  };
  server.answer = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', access.server);
    const method = request.method ?? '';
    const call = `${method} ${pathname}`;
    cluster.calls.push(call);
    void text(request).then((sent) => {
      if (sent) cluster.bodies[call] = JSON.parse(sent);
      const body = cluster.answers({ method, path: pathname, query: searchParams }) ?? 404;
      if (typeof body === 'object') return void response.end(JSON.stringify(body));
      const reason = REASONS[body] ?? 'Refused';
      response
        .writeHead(body)
        .end(JSON.stringify({ kind: 'Status', code: body, reason, message: `${reason} ${pathname}` }));
    });
  };
  return cluster;
}

export function kubeconfigText(server: string, ca: string, token: string): string {
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [
      {
        name: 'c',
        cluster: { server, ...(ca && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }) },
      },
    ],
    users: [{ name: 'u', user: { token } }],
  });
}

export function listOf(...items: object[]): object {
  return { metadata: { resourceVersion: '1' }, items };
}

/** Runs a command line. */
export async function command(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', ''];
  const code = await runProgram(argv, {
    out: (text) => (out += text),
    error: (text) => (error += text),
    env: { HOME: '/nowhere' },
    now: () => new Date('2026-11-20T12:00:00Z'),
  });
  return { code, out, error };
}
