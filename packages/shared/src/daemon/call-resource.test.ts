import { expect, test } from 'vitest';
import { resourceOfPath } from './call-resource.ts';

test.each([
  ['/api/v1/pods', 'pods'],
  ['/api/v1/namespaces/shop/pods', 'pods'],
  ['/api/v1/namespaces/shop/pods/web-1', 'pods'],
  ['/api/v1/namespaces/shop/pods/web-1/status', 'pods/status'],
  ['/api/v1/namespaces/shop/serviceaccounts/default/token', 'serviceaccounts/token'],
  ['/api/v1/namespaces/shop', 'namespaces'],
  ['/api/v1/namespaces', 'namespaces'],
  ['/api/v1/nodes/node1/status', 'nodes/status'],
  ['/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/vnode-a', 'leases'],
  ['/apis/cloud.tencent.com/v1beta1/clusterbindings/example/status', 'clusterbindings/status'],
  ['/version', ''],
  ['/', ''],
])('%s is about "%s"', (path, resource) => {
  expect(resourceOfPath(path)).toBe(resource);
});
