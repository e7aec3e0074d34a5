/**
 * The network of a set: one bridge as the switch, a network namespace per node, and on every node and on the machine
 * a route to every node's pods. So all pods of all clusters reach each other with their own addresses.
 */

import { existsSync } from 'node:fs';

import { type NodePlan, type SetPlan, planSet } from './plan.ts';
import { run } from './run.ts';

interface Route {
  dst: string;
  dev?: string;
}

function overlaps(dst: string, second: number): boolean {
  return new RegExp(`^10\\.${second}\\.`).test(dst);
}

/** A test for indexes whose addresses are not in use on this machine by something else. */
export async function freeIndexes(): Promise<(index: number) => boolean> {
  const routes = JSON.parse((await run(['ip', '-j', 'route', 'show', 'table', 'all'])).stdout || '[]') as Route[];
  return (index) => {
    const { bridge } = planSet(index, { workers: 1, nodes: 1, hollow: 0 });
    return !routes.some(
      ({ dst, dev }) => dev !== bridge && [200, 216, 232].some((base) => overlaps(dst, base + index)),
    );
  };
}

async function ip(netns: string | undefined, lines: string[]): Promise<void> {
  if (lines.length === 0) return;
  await run(['ip', ...(netns ? ['-n', netns] : []), '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

async function ensureBridge(plan: SetPlan): Promise<void> {
  if (!existsSync(`/sys/class/net/${plan.bridge}`)) await ip(undefined, [`link add ${plan.bridge} type bridge`]);
  await ip(undefined, [`address replace ${plan.hostAddress}/24 dev ${plan.bridge}`, `link set ${plan.bridge} up`]);
}

async function ensureCable(plan: SetPlan, node: NodePlan): Promise<void> {
  if (!existsSync(`/run/netns/${node.netns}`)) {
    await run(['ip', 'netns', 'add', node.netns]);
  } else if ((await run(['ip', '-n', node.netns, 'link', 'show', 'lo'], { anyExit: true })).status !== 0) {
    // A run killed inside `ip netns add` leaves the file without a namespace mounted on it.
    await run(['ip', 'netns', 'delete', node.netns], { anyExit: true });
    await run(['ip', 'netns', 'add', node.netns]);
  }
  const inside = await run(['ip', '-n', node.netns, 'link', 'show', 'eth0'], { anyExit: true });
  if (inside.status !== 0 || !existsSync(`/sys/class/net/${node.hostLink}`)) {
    await run(['ip', 'link', 'delete', node.hostLink], { anyExit: true });
    await ip(undefined, [`link add ${node.hostLink} type veth peer name eth0 netns ${node.netns}`]);
  }
  await ip(undefined, [`link set ${node.hostLink} master ${plan.bridge} up`]);
}

async function ensureAddresses(plan: SetPlan, node: NodePlan): Promise<void> {
  const cluster = plan.clusters.find(({ name }) => name === node.cluster)!;
  const second = cluster.loadBalancer && cluster.nodes[0] === node ? [cluster.loadBalancer] : [];
  await ip(node.netns, [
    'link set lo up',
    `address replace ${node.address}/24 dev eth0`,
    ...second.map((address) => `address replace ${address}/32 dev eth0`),
    'link set eth0 up',
    `route replace default via ${plan.hostAddress}`,
    ...podRoutes(plan, node),
  ]);
  // /proc/sys/net shows the namespace of whoever reads it.
  await run(['nsenter', `--net=/run/netns/${node.netns}`, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
}

function podRoutes(plan: SetPlan, except?: NodePlan): string[] {
  const nodes = plan.clusters.flatMap((cluster) => cluster.nodes).filter((node) => node !== except);
  return nodes.map((node) => `route replace ${node.podRange} via ${node.address}`);
}

/** Makes what is missing of the network, and mends what a killed run left half made. */
export async function ensureNetwork(plan: SetPlan): Promise<void> {
  await ensureBridge(plan);
  const nodes = plan.clusters.flatMap((cluster) => cluster.nodes);
  for (const node of nodes) await ensureCable(plan, node); // One after the other: ip takes the same kernel lock.
  for (const node of nodes) await ensureAddresses(plan, node);
  await ip(undefined, podRoutes(plan));
}
