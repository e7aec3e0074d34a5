/** Where a pod is looked for: as kubectl does, in the namespace of the context unless one is given. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { command, type FakeCluster, startCluster } from '../fake-cluster.ts';

let home: FakeCluster;
beforeEach(async () => {
  home = await startCluster();
});
afterEach(() => home.stop());

function contextNamespace(namespace: string): void {
  const kubeconfig = JSON.parse(readFileSync(home.kubeconfig, 'utf8'));
  kubeconfig.contexts[0].context.namespace = namespace;
  writeFileSync(home.kubeconfig, JSON.stringify(kubeconfig));
}

test.each<[string, string, string[], string]>([
  ['', 'web', [], 'default/web'],
  ['shop', 'web', [], 'shop/web'],
  ['shop', 'web', ['-n', 'other'], 'other/web'],
  ['shop', 'other/web', [], 'other/web'],
])('context of namespace %j, %s %j: pod %s', async (context, name, flags, pod) => {
  if (context) contextNamespace(context);
  const { error } = await command('explain', 'pod', name, ...flags, '--kubeconfig', home.kubeconfig);
  expect(error).toContain(`there is no pod ${pod} in the computing cluster`);
  const [namespace, podName] = pod.split('/');
  expect(home.calls).toContain(`GET /api/v1/namespaces/${namespace}/pods/${podName}`);
});
