/** Home pods for tests: by hand, and arbitrary ones of fast-check. */
import fc from 'fast-check';
import type { Pod } from './types.ts';
import type { WorkerFacts } from './translation/to-worker.ts';

export const FACTS: WorkerFacts = {
  bindingName: 'example-cluster',
  bindingUID: '11111111-1111-1111-1111-111111111111',
  mountNamespace: 'kubeocean-worker',
  node: 'node1',
  directScheduling: false,
  apiServer: { host: '10.1.0.1', port: 6443 },
  dns: { servers: ['10.1.0.10'], domain: 'cluster.local' },
};

/** A pod as a ReplicaSet makes it, after the API server's defaults and admission. */
export function samplePod(spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-5d9c7b-abcde',
      namespace: 'shop',
      uid: '22222222-2222-2222-2222-222222222222',
      labels: { app: 'web', 'kubeocean.io/managed-by': 'forged' },
      annotations: { note: 'a $(b) "c"', 'cni.example/ip': '10.0.0.1' },
      generation: 1,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d9c7b', uid: 'r', controller: true }],
      ...metadata,
    },
    spec: {
      nodeName: 'vnode-cls-example-node1',
      containers: [{ name: 'main', image: 'busybox', volumeMounts: [{ name: 'kube-api-access', mountPath: '/x' }] }],
      serviceAccountName: 'builder',
      serviceAccount: 'builder',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
      enableServiceLinks: true,
      volumes: [
        {
          name: 'kube-api-access',
          projected: {
            defaultMode: 420,
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
              {
                downwardAPI: {
                  items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
                },
              },
            ],
          },
        },
      ],
      ...spec,
    },
    status: { phase: 'Pending' },
  };
}

/** Among them what every object of JavaScript has. */
const name = fc.oneof(
  { weight: 9, arbitrary: fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/) },
  { weight: 1, arbitrary: fc.constant('constructor') },
);
const variableName = fc.oneof(
  { weight: 9, arbitrary: name },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'valueOf') },
);
const text = fc.string({ maxLength: 12 });
const optional = fc.option(fc.boolean(), { nil: undefined });
const fieldPath = fc.constantFrom(
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  "metadata.labels['app']",
  "metadata.annotations['note']",
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.podIP',
);
const reference = fc.record({ name, optional }, { requiredKeys: ['name'] });
const variable = fc.oneof(
  fc.record({ name: variableName, value: text }),
  fc.record({ name: variableName, valueFrom: fc.record({ fieldRef: fc.record({ fieldPath }) }) }),
  fc.record({ name: variableName, valueFrom: fc.record({ configMapKeyRef: reference }) }),
  fc.record({ name: variableName, valueFrom: fc.record({ secretKeyRef: reference }) }),
  fc.record({
    name: variableName,
    valueFrom: fc.record({ resourceFieldRef: fc.record({ resource: fc.constant('limits.cpu') }) }),
  }),
);
const container = fc.record({
  name,
  image: text,
  futureField: fc.jsonValue({ maxDepth: 1 }),
  env: fc.array(variable, { maxLength: 4 }),
  envFrom: fc.array(
    fc.oneof(fc.record({ configMapRef: reference }), fc.record({ secretRef: reference, prefix: text })),
    {
      maxLength: 2,
    },
  ),
});
const initContainer = container.map((one) => ({ ...one, name: `init-${one.name}` }));
const nameOf = (named: { name: string }) => named.name;
const volume = fc.oneof(
  fc.record({ name, emptyDir: fc.constant({}) }),
  fc.record({ name, configMap: reference }),
  fc.record({ name, secret: fc.record({ secretName: name, optional, defaultMode: fc.constant(256) }) }),
  fc.record({
    name,
    downwardAPI: fc.record({
      items: fc.array(
        fc.record({
          path: name,
          fieldRef: fc.record({ fieldPath: fc.constantFrom('metadata.labels', 'metadata.name') }),
        }),
        { maxLength: 2 },
      ),
    }),
  }),
  fc.record({
    name,
    projected: fc.record({
      sources: fc.array(
        fc.oneof(
          fc.record({ configMap: reference }),
          fc.record({ secret: reference }),
          fc.record({ serviceAccountToken: fc.record({ path: name }) }),
        ),
        { maxLength: 3 },
      ),
    }),
  }),
);

/** Any pod that can be carried, with fields this program does not know. */
export const arbitraryPod: fc.Arbitrary<Pod> = fc
  .record({
    podName: fc.stringMatching(/^[a-z0-9]([-.a-z0-9]{0,40}[a-z0-9])?$/),
    labels: fc.dictionary(name, text, { maxKeys: 3 }),
    // Names are unique: the API server refuses other pods.
    containers: fc.uniqueArray(container, { minLength: 1, maxLength: 3, selector: nameOf }),
    initContainers: fc.uniqueArray(initContainer, { maxLength: 2, selector: nameOf }),
    volumes: fc.uniqueArray(volume, { maxLength: 4, selector: nameOf }),
    imagePullSecrets: fc.array(fc.record({ name }), { maxLength: 2 }),
    future: fc.jsonValue({ maxDepth: 2 }),
    nodeSelector: fc.dictionary(name, text, { maxKeys: 2 }),
    dnsPolicy: fc.constantFrom('ClusterFirst', 'Default', 'None', 'ClusterFirstWithHostNet'),
    hostNetwork: fc.boolean(),
  })
  .map(({ podName, labels, future, ...spec }) =>
    samplePod(
      { ...spec, futurePodField: future, affinity: { podAffinity: {} }, readinessGates: [{ conditionType: 'x/y' }] },
      { name: podName, labels },
    ),
  );
