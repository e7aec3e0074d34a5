/**
 * Environment variables of Services, as a kubelet of the computing cluster would give them: those of the API server
 * always, those of the pod's namespace while `enableServiceLinks` is not false. Pure.
 *
 * Names and order: k8s.io/kubernetes/pkg/kubelet/envvars FromServices, kubelet getServiceEnvVarMap.
 */
import { isIPv6 } from 'node:net';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { EnvVar, Pod } from '../types.ts';

/** As much of a home Service as its variables say. */
export interface ServiceAddress {
  name: string;
  clusterIP: string;
  ports: { name?: string; port: number; protocol?: string }[];
}

/**
 * Most Services of a namespace whose variables a pod is given, and most bytes that they take in all its containers. A kubelet
 * has no such bounds, but its variables are in no object: ours are in the worker pod, of which an API server takes 1.5 MiB
 * and its etcd keeps some gigabytes altogether.
 */
export const MAX_SERVICE_LINKS = 200;
export const MAX_SERVICE_LINK_BYTES = 64 * 1024;
/** Of a variable without its name and value: `{"name":"","value":""},`. */
const VARIABLE_BYTES = 23;

/** The Services whose variables the pod gets: the first of the bounds. @param services in the order of their names */
export function linkedServices(home: Pod, services: readonly ServiceAddress[] = []): readonly ServiceAddress[] {
  if (home.spec.enableServiceLinks === false) return [];
  let left = Math.floor(MAX_SERVICE_LINK_BYTES / containersOf(home));
  const linked: ServiceAddress[] = [];
  for (const service of services.slice(0, MAX_SERVICE_LINKS)) {
    for (const { name, value = '' } of serviceVariables(service)) left -= VARIABLE_BYTES + name.length + value.length;
    if (left < 0) break;
    linked.push(service);
  }
  return linked;
}

/** For the user of a pod that a kubelet at home would have told of more Services; undefined when nothing is left out. */
export function linksLeftOut(home: Pod, services: readonly ServiceAddress[] = []): string | undefined {
  if (home.spec.enableServiceLinks === false) return undefined;
  const linked = linkedServices(home, services);
  const left = services.length - linked.length;
  if (left === 0) return undefined;
  const first = linked.length === 0 ? 'of none' : `of the first ${linked.length} by name (to ${linked.at(-1)?.name})`;
  const bound =
    linked.length === MAX_SERVICE_LINKS
      ? `${MAX_SERVICE_LINKS} Services`
      : `${MAX_SERVICE_LINK_BYTES / 1024} KiB in all ${containersOf(home)} containers`;
  return `its namespace has ${services.length} Services, and its environment the variables ${first}, for ${bound} are the most: it finds the other ${left} by DNS; enableServiceLinks: false leaves them all out`;
}

/** Each of them is given all of the variables. */
function containersOf({ spec }: Pod): number {
  return spec.containers.length + (spec.initContainers?.length ?? 0) + (spec.ephemeralContainers?.length ?? 0);
}

/** undefined for a Service without an address of its own, which has no variables (headless, ExternalName). */
export function serviceAddress(service: KubeObject): ServiceAddress | undefined {
  const { clusterIP, ports } = (service['spec'] ?? {}) as Partial<ServiceAddress>;
  if (!clusterIP || clusterIP === 'None' || !ports || ports.length === 0) return undefined;
  return { name: service.metadata.name, clusterIP, ports };
}

/** The variables of the API server under the name `kubernetes`, wherever it really is. */
export function apiServerVariables(apiServer: { host: string; port: number } | undefined): readonly EnvVar[] {
  if (!apiServer) return [];
  const ports = [{ name: 'https', port: apiServer.port, protocol: 'TCP' }];
  return serviceVariables({ name: 'kubernetes', clusterIP: apiServer.host, ports });
}

/** Of Services, which are never changed in place: each container of each pod of a namespace asks for those of hundreds. */
const known = new WeakMap<ServiceAddress, readonly EnvVar[]>();

/** `<NAME>_SERVICE_HOST`, `_SERVICE_PORT…` and the older Docker links `<NAME>_PORT_…`. */
export function serviceVariables(service: ServiceAddress): readonly EnvVar[] {
  let variables = known.get(service);
  if (!variables) known.set(service, (variables = variablesOf(service)));
  return variables;
}

function variablesOf({ name, clusterIP, ports }: ServiceAddress): EnvVar[] {
  const prefix = variableName(name);
  const variables: EnvVar[] = [
    { name: `${prefix}_SERVICE_HOST`, value: clusterIP },
    { name: `${prefix}_SERVICE_PORT`, value: String(ports[0]?.port) },
  ];
  for (const port of ports) {
    if (port.name)
      variables.push({ name: `${prefix}_SERVICE_PORT_${variableName(port.name)}`, value: String(port.port) });
  }
  const host = isIPv6(clusterIP) ? `[${clusterIP}]` : clusterIP;
  for (const [at, { port, protocol = 'TCP' }] of ports.entries()) {
    const url = `${protocol.toLowerCase()}://${host}:${port}`;
    const link = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    if (at === 0) variables.push({ name: `${prefix}_PORT`, value: url });
    variables.push(
      { name: link, value: url },
      { name: `${link}_PROTO`, value: protocol.toLowerCase() },
      { name: `${link}_PORT`, value: String(port) },
      { name: `${link}_ADDR`, value: clusterIP },
    );
  }
  return variables;
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}
