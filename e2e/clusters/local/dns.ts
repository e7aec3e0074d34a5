/** The cluster's DNS: CoreDNS as a process in the first node's namespace, at that node's address. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Context, clusterFolder } from './context.ts';
import { ownKubeconfig } from './control-plane.ts';
import type { ClusterPlan } from './plan.ts';
import { ensureRunning } from './process.ts';

/** CoreDNS' configuration. Nothing is forwarded: a name it does not know does not exist, and that is said at once. */
export function corefile(kubeconfig: string): string {
  // Two blocks, because `template` comes before `kubernetes` in the order that CoreDNS is built with.
  return `cluster.local:53 in-addr.arpa:53 {
    errors
    health 127.0.0.1:8080
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {
        kubeconfig ${kubeconfig}
        pods insecure
        ttl 5
    }
}
.:53 {
    errors
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`;
}

export async function startDns(context: Context, cluster: ClusterPlan): Promise<void> {
  const file = join(clusterFolder(context.plan.index, cluster), 'Corefile');
  const text = corefile(ownKubeconfig(context, cluster, 'coredns'));
  writeFileSync(file, text);
  await ensureRunning(context.supervisor, {
    name: 'coredns',
    cluster: cluster.name,
    netns: cluster.nodes[0]!.netns,
    argv: [context.programs.coredns, '-conf', file],
    inputs: [text],
  });
}
