/** Objects of our kinds for a try at the API server: sound, but for what the test changes. */

export type Fields = Record<string, unknown>;

export const apiVersion = 'cloud.tencent.com/v1beta1';

export function binding(spec: Fields): Fields {
  const secretRef = { name: 'worker', namespace: 'kubeocean-system' };
  return {
    apiVersion,
    kind: 'ClusterBinding',
    metadata: { name: 'test' },
    spec: { clusterID: 'cls-test', mountNamespace: 'kubeocean-worker', secretRef, ...spec },
  };
}

export function policy(spec: Fields): Fields {
  return { apiVersion, kind: 'ResourceLeasingPolicy', metadata: { name: 'test' }, spec: { cluster: 'test', ...spec } };
}

export function expressions(...matchExpressions: Fields[]): Fields {
  return { nodeSelector: { nodeSelectorTerms: [{ matchExpressions }] } };
}

export function window(fields: Fields): Fields {
  return policy({ timeWindows: [fields] });
}

export function limit(...resourceLimits: Fields[]): Fields {
  return policy({ resourceLimits });
}
