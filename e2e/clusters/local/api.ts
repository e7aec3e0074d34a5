/** The few calls to an API server that bringing a cluster up takes, made as its administrator. */

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';

import type { ClusterPlan } from './plan.ts';

export interface ApiAnswer {
  status: number;
  body: unknown;
  text: string;
}

export interface Api {
  /** Sends JSON (or nothing). Resolves whatever the status; rejects when there is no answer within 10 s. */
  send(method: string, path: string, body?: unknown, contentType?: string): Promise<ApiAnswer>;
  /** Creates or updates an object by server-side apply at the path of the object. Throws the server's words. */
  apply(path: string, object: unknown): Promise<void>;
  close(): void;
}

export function adminApi(cluster: ClusterPlan, certificates: string): Api {
  const file = (name: string): Buffer => readFileSync(join(certificates, name));
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 16,
    ca: file('ca.crt'),
    cert: file('admin.crt'),
    key: file('admin.key'),
  });
  function send(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const call = request(`${cluster.apiServer}${path}`, { agent, method, timeout: 10_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = String(Buffer.concat(chunks));
          const json = response.headers['content-type']?.startsWith('application/json');
          resolve({ status: response.statusCode ?? 0, text, body: json ? (JSON.parse(text) as unknown) : undefined });
        });
      });
      call.on('timeout', () => call.destroy(new Error(`${method} ${cluster.apiServer}${path}: no answer in 10 s`)));
      call.on('error', reject);
      if (body !== undefined) call.setHeader('content-type', contentType);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
  async function apply(path: string, object: unknown): Promise<void> {
    const query = `${path.includes('?') ? '&' : '?'}fieldManager=kubeocean-clusters&force=true`;
    const answer = await send('PATCH', `${path}${query}`, object, 'application/apply-patch+yaml');
    if (answer.status >= 300) throw new Error(`applying ${path} in ${cluster.name}: ${answer.status} ${answer.text}`);
  }
  return { send, apply, close: () => agent.destroy() };
}
