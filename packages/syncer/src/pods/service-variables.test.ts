import { expect, test } from 'vitest';
import {
  apiServerVariables,
  linksLeftOut,
  MAX_SERVICE_LINKS,
  serviceAddress,
  serviceVariables,
} from './service-variables.ts';
import { FACTS, samplePod } from './samples.ts';
import { toWorkerPod } from './to-worker.ts';

const map = (variables: { name: string; value?: string }[]) =>
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

test('the API server wins over a Service of its name; beyond the bound there are none', () => {
  const services = Array.from({ length: MAX_SERVICE_LINKS + 1 }, (_, i) => ({
    name: `s${i}`,
    clusterIP: '10.0.0.1',
    ports: [{ port: 1 }],
  }));
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

test('what is left out is told, with what to do', () => {
  const services = Array.from({ length: MAX_SERVICE_LINKS + 3 }, (_, i) => ({
    name: `s${i}`,
    clusterIP: '10.0.0.1',
    ports: [{ port: 1 }],
  }));
  const message = linksLeftOut(samplePod(), services);
  expect(message).toContain('has 203 Services, and its environment the variables of the first 200 by name (to s199)');
  expect(message).toContain('the other 3 by DNS');
  expect(linksLeftOut(samplePod({ enableServiceLinks: false }), services)).toBeUndefined();
  expect(linksLeftOut(samplePod(), services.slice(3))).toBeUndefined();
  expect(linksLeftOut(samplePod(), undefined)).toBeUndefined();
});
