/** The kubectls that a vnode is tried with: the oldest to be had, an installed one, the clusters' own and the newest. */
import { existsSync } from 'node:fs';
import { ensureProgram, stateRoot } from '../clusters/index.ts';
import { debianProgram } from '../clusters/debian.ts';
import { run } from '../clusters/local/run.ts';
import { kubeconfigOf, programPath } from '../harness/index.ts';

export interface Kubectl {
  /** As it calls itself, such as `v1.34.4`. */
  version: string;
  program: string;
}

/** What a kubectl speaks for sessions: since 1.30 there is a choice. */
export const PROTOCOLS = {
  WebSocket: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'true', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'true' },
  SPDY: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
} as const;
export type Protocol = keyof typeof PROTOCOLS;

/** All that this machine can have; `missing` says which it cannot, and why. */
export async function findKubectls(): Promise<{ kubectls: Kubectl[]; missing: string[] }> {
  const missing: string[] = [];
  const programs = [programPath('kubectl'), '/usr/bin/kubectl', '/usr/local/bin/kubectl'].filter(existsSync);
  programs.push(await ensureProgram('kubectl-newest', stateRoot(), (line) => console.log(line)));
  const old = await debianProgram('kubernetes-client', 'usr/bin/kubectl');
  if (typeof old === 'string') programs.push(old);
  else missing.push(old.why);
  const kubectls = new Map<string, Kubectl>();
  for (const program of programs) {
    const { stdout } = await run([program, 'version', '--client', '-o', 'json']);
    const { clientVersion } = JSON.parse(stdout) as { clientVersion: { gitVersion: string } };
    kubectls.set(clientVersion.gitVersion, { version: clientVersion.gitVersion, program });
  }
  return { kubectls: [...kubectls.values()], missing };
}

/** Whether this kubectl has WebSockets for sessions at all. */
export function speaksWebSocket({ version }: Kubectl): boolean {
  return Number(/^v1\.(\d+)/.exec(version)?.[1]) >= 31;
}

/** Command line of a kubectl on the computing cluster. */
export function commandLine(program: string, namespace: string, args: readonly string[]): string[] {
  return [program, '--kubeconfig', kubeconfigOf('computing'), '-n', namespace, ...args];
}
