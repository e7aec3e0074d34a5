/** The part of a policy beside its spec, as a schema: what the API server makes of it is the same for every kind. */
import type { Schema } from '@kubeocean/shared/api';

const text: Schema = { type: 'string' };
const texts: Schema = { type: 'object', additionalProperties: text };
const anything: Schema = {};

/** metav1.ObjectMeta. What only servers write may be in a file that `kubectl get -o yaml` made. */
const metadata: Schema = {
  type: 'object',
  properties: {
    name: text,
    namespace: text,
    labels: texts,
    annotations: texts,
    finalizers: { type: 'array', items: text },
    ownerReferences: anything,
    uid: anything,
    resourceVersion: anything,
    generation: anything,
    generateName: anything,
    creationTimestamp: anything,
    deletionTimestamp: anything,
    deletionGracePeriodSeconds: anything,
    managedFields: anything,
    selfLink: anything,
  },
  required: ['name'],
};

/** A policy whose spec obeys `spec`. Its status is the agent's, whatever a file says. */
export function policyWith(spec: Schema): Schema {
  return {
    type: 'object',
    properties: { apiVersion: text, kind: text, metadata, spec, status: anything },
    required: ['metadata', 'spec'],
  };
}

const LongestName = 253;
const Subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Why a name is refused, in the words of the API server (k8s.io/apimachinery, IsDNS1123Subdomain). */
export function nameProblem(name: string): string | undefined {
  const invalid = `Invalid value: ${JSON.stringify(name)}: `;
  if (name.length > LongestName) return `${invalid}must be no more than ${LongestName} characters`;
  if (Subdomain.test(name)) return undefined;
  return `${invalid}a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${Subdomain.source.slice(1, -1)}')`;
}
