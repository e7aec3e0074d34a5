import { type KubeObject, Store } from '@kubeocean/shared/kube';
import { expect, test, vi } from 'vitest';
import { createServiceAddresses } from './service-addresses.ts';

function service(namespace: string, name: string, clusterIP = '10.0.0.1'): KubeObject {
  return { metadata: { namespace, name, resourceVersion: clusterIP }, spec: { clusterIP, ports: [{ port: 80 }] } };
}

test('the Services of a namespace are gone through once for all of its pods, and anew when one of them changes', () => {
  const store = new Store<KubeObject>({ namespace: ({ metadata }) => [metadata.namespace ?? ''] });
  const looks = vi.spyOn(store, 'byIndex');
  for (const each of [service('a', 'web'), service('a', 'db'), service('b', 'web'), service('a', 'headless', 'None')]) {
    store.set(each);
  }
  const addresses = createServiceAddresses(store);
  const namesIn = (namespace: string) => addresses(namespace).map(({ name, clusterIP }) => `${name} ${clusterIP}`);
  for (let pods = 0; pods < 3; pods++) expect(namesIn('a')).toEqual(['db 10.0.0.1', 'web 10.0.0.1']);
  expect(looks).toHaveBeenCalledTimes(1);
  expect([namesIn('b'), namesIn('c')]).toEqual([['web 10.0.0.1'], []]);
  store.set(service('a', 'web', '10.0.0.2'));
  store.remove('a/db');
  expect(namesIn('a')).toEqual(['web 10.0.0.2']);
  expect(namesIn('b')).toEqual(['web 10.0.0.1']);
  expect(looks).toHaveBeenCalledTimes(4);
});
