import { expect, test } from 'vitest';
import {
  apiServerVariables,
  linkedServices,
  linksLeftOut,
  MAX_SERVICE_LINK_BYTES,
  MAX_SERVICE_LINKS,
  serviceAddress,
  serviceVariables,
} from './service-variables.ts';
import { FACTS, samplePod } from '../samples.ts';
import { toWorkerPod } from './to-worker.ts';

const map = (variables: readonly { name: string; value?: string }[]) =>
  Object.fromEntries(variables.map(({ name, value }) => [name, value]));

test('a Service with two ports, as a kubelet writes it', () => {
  const ports = [
    { name: 'web-ui', port: 80 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ];
  expect(map(serviceVariables({ name: 'my-app', clusterIP: '10.0.0.1', ports }))).toEqual({
    MY_APP_SERVICE_HOST: '10.0.0.1',
    MY_APP_SERVICE_PORT: '80',
    MY_APP_SERVICE_PORT_WEB_UI: '80',
    MY_APP_SERVICE_PORT_DNS: '53',
    MY_APP_PORT: 'tcp://10.0.0.1:80',
    MY_APP_PORT_80_TCP: 'tcp://10.0.0.1:80',
    MY_APP_PORT_80_TCP_PROTO: 'tcp',
    MY_APP_PORT_80_TCP_PORT: '80',
    MY_APP_PORT_80_TCP_ADDR: '10.0.0.1',
    MY_APP_PORT_53_UDP: 'udp://10.0.0.1:53',
    MY_APP_PORT_53_UDP_PROTO: 'udp',
    MY_APP_PORT_53_UDP_PORT: '53',
    MY_APP_PORT_53_UDP_ADDR: '10.0.0.1',
  });
  expect(map(apiServerVariables({ host: 'fd00::1', port: 6443 }))).toMatchObject({
    KUBERNETES_SERVICE_HOST: 'fd00::1',
    KUBERNETES_PORT: 'tcp://[fd00::1]:6443',
  });
});

test.each([
  ['headless', { clusterIP: 'None', ports: [{ port: 1 }] }],
  ['ExternalName', { type: 'ExternalName', externalName: 'x' }],
  ['without ports', { clusterIP: '10.0.0.1' }],
])('%s: none', (_, spec) => expect(serviceAddress({ metadata: { name: 'x' }, spec })).toBeUndefined());

/** With the shortest variables: as many as the bound of their number holds. */
const short = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `s${i}`, clusterIP: '10.0.0.1', ports: [{ port: 1 }] }));

test('the API server wins over a Service of its name; beyond the bound there are none', () => {
  const services = short(MAX_SERVICE_LINKS + 1);
  const facts = {
    ...FACTS,
    services: [{ name: 'kubernetes', clusterIP: '10.0.0.9', ports: [{ port: 443 }] }, ...services],
  };
  const env = map(toWorkerPod(samplePod(), facts).spec.containers[0]?.env ?? []);
  expect(env['KUBERNETES_SERVICE_HOST']).toBe('10.1.0.1');
  expect(env).toHaveProperty('S0_SERVICE_HOST');
  expect(env).not.toHaveProperty(`S${MAX_SERVICE_LINKS}_SERVICE_HOST`);
  const none = toWorkerPod(samplePod({ enableServiceLinks: false }), facts).spec.containers[0]?.env ?? [];
  expect(none.every(({ name }) => name.startsWith('KUBERNETES_'))).toBe(true);
});

test('the variables of a Service are made once for all pods and containers', () => {
  const [service] = short(1) as [ReturnType<typeof short>[number]];
  expect(serviceVariables(service)).toBe(serviceVariables(service));
});

test('what is left out is told, with what to do', () => {
  const services = short(MAX_SERVICE_LINKS + 3);
  const linked = linkedServices(samplePod(), services).length;
  const message = linksLeftOut(samplePod(), services);
  expect(message).toContain(
    `has ${services.length} Services, and its environment the variables of the first ${linked} by name (to s${linked - 1})`,
  );
  expect(message).toContain(`the other ${services.length - linked} by DNS`);
  expect(linksLeftOut(samplePod({ enableServiceLinks: false }), services)).toBeUndefined();
  expect(linksLeftOut(samplePod(), services.slice(-20))).toBeUndefined();
  expect(linksLeftOut(samplePod(), undefined)).toBeUndefined();
});

test.each([
  [1, 1],
  [6, 4],
  [20, 1],
])('the variables of %i containers and Services of %i ports do not fill the worker’s etcd', (containers, count) => {
  const ports = Array.from({ length: count }, (_, at) => ({ name: `http-${at}`, port: 8080 + at }));
  const services = Array.from({ length: 200 }, (_, at) => ({
    name: `team-payments-service-${at}`,
    clusterIP: '10.96.100.100',
    ports,
  }));
  const home = samplePod({
    containers: Array.from({ length: containers - 1 }, (_, at) => ({ name: `c${at}` })),
    initContainers: [{ name: 'i' }],
  });
  const size = (facts: object) => JSON.stringify(toWorkerPod(home, { ...FACTS, ...facts })).length;
  const taken = size({ services }) - size({});
  expect(taken).toBeLessThanOrEqual(MAX_SERVICE_LINK_BYTES);
  expect(taken).toBeGreaterThan(MAX_SERVICE_LINK_BYTES / 2);
  expect(linksLeftOut(home, services)).toContain(`64 KiB in all ${containers} containers`);
});

test('Services of which not one has room are told of as well', () => {
  const ports = Array.from({ length: 500 }, (_, at) => ({ port: at + 1 }));
  const services = [{ name: 'x'.repeat(63), clusterIP: '10.0.0.1', ports }];
  expect(linksLeftOut(samplePod(), services)).toContain('has 1 Services, and its environment the variables of none');
});
