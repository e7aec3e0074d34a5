/**
 * Which addresses a pod can have. API servers take any in a pod's status, but not in an EndpointSlice: with one pod at a
 * loopback address a worker would keep home from ever changing the endpoints of a Service, those of all its other pods
 * included (k8s.io/kubernetes/pkg/apis/core/validation, ValidateEndpointIP). Pure.
 */
import { BlockList, isIP } from 'node:net';
import type { PodStatus } from '../types.ts';

const NO_PODS = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
] as const) {
  NO_PODS.addSubnet(net, prefix, 'ipv4');
}
for (const [net, prefix] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  NO_PODS.addSubnet(net, prefix, 'ipv6');
}

/** Whether the addresses that the status names, if any, are such as pods have: all of them. */
export function arePods({ podIP, podIPs = [] }: PodStatus): boolean {
  return [...(podIP ? [podIP] : []), ...podIPs.map(({ ip }) => ip)].every(isPods);
}

function isPods(ip: unknown): boolean {
  const family = typeof ip === 'string' ? isIP(ip) : 0;
  return family !== 0 && !NO_PODS.check(ip as string, family === 4 ? 'ipv4' : 'ipv6');
}
