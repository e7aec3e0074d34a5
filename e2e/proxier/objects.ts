/** What the tests of the proxier are made of, and what they look at: pods, vnodes, addresses, open sessions. */
import { networkInterfaces } from 'node:os';
import { Label } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { RunningProcess } from '../harness/index.ts';

const IMAGE = { image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent' };

/** `main` writes five lines and then one each second; `silent` writes nothing and serves /etc on 8080. */
export function podSpec(): Record<string, unknown> {
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    // Nobody keeps these vnodes alive, so that after five minutes their pods would be evicted.
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: 'main',
        ...IMAGE,
        command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done; while true; do echo tick; sleep 1; done'],
      },
      { name: 'silent', ...IMAGE, command: ['sh', '-c', 'httpd -p 8080 -h /etc; sleep 100000'] },
    ],
  };
}

/** The bridge's address on this host: the one in the network of the API server's. */
export function addressFacing(server: string): string {
  const prefix = new URL(server).hostname.split('.').slice(0, 3).join('.');
  const found = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.address.startsWith(`${prefix}.`));
  if (!found)
    throw new Error(`this host has no address in ${prefix}.0/24: are the clusters those of the provider local?`);
  return found.address;
}

/** A vnode as the syncer makes it. */
export function vnodeObject(vnode: {
  name: string;
  port: number;
  binding: { name: string; uid: string };
  address: string;
}): KubeObject {
  const { name, port, binding, address } = vnode;
  return {
    metadata: {
      name,
      labels: {
        type: 'virtual-kubelet',
        [Label.clusterBinding]: binding.name,
        [Label.bindingUID]: binding.uid,
        [Label.proxierPort]: String(port),
      },
    },
    spec: { taints: [{ key: 'kubeocean.io/vnode', effect: 'NoSchedule' }] },
    status: {
      addresses: [{ type: 'InternalIP', address }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
  };
}

/** Sessions that a proxier says are open. */
export async function openSessions(proxier: RunningProcess): Promise<number> {
  const text = await (await fetch(`${await proxier.metrics()}/metrics`)).text();
  const lines = text.match(/^kubeocean_proxier_sessions\{.*/gm) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
