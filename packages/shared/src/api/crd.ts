/** The CustomResourceDefinitions of our kinds, from which the charts' YAML and docs/api.md are generated. */
import type { Json, Resource } from '../kube/types.ts';
import { ClusterBindings } from './binding.ts';
import { bindingSchema } from './binding-schema.ts';
import { LeaseGuards } from './lease-guard.ts';
import { leaseGuardSchema } from './lease-guard-schema.ts';
import { LeasedNodes } from './leased-node.ts';
import { leasedNodeSchema } from './leased-node-schema.ts';
import { ResourceLeasingPolicies } from './policy.ts';
import { policySchema } from './policy-schema.ts';
import type { Schema } from './schema.ts';
import { object, text } from './schema.ts';

/** A column of `kubectl get`; priority 1 shows with `-o wide` only. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'date';
  jsonPath: string;
  description: string;
  priority?: 0 | 1;
}

/** One kind as its file describes it. */
export interface Definition {
  resource: Resource;
  shortName: string;
  description: string;
  spec: Schema;
  status?: Schema;
  columns: Column[];
}

const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was made.',
};

export const bindingDefinition: Definition = {
  resource: ClusterBindings,
  shortName: 'cb',
  ...bindingSchema,
  columns: [
    { name: 'ClusterID', type: 'string', jsonPath: '.spec.clusterID', description: 'ID of the worker cluster.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Pending, Ready or Failed.' },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes', description: 'Number of vnodes.', priority: 1 },
    {
      name: 'Pods',
      type: 'integer',
      jsonPath: '.status.pods',
      description: 'Pods that run in the worker.',
      priority: 1,
    },
    {
      name: 'Worker-Version',
      type: 'string',
      jsonPath: '.status.workerVersion',
      description: 'Kubernetes version of the worker.',
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'Why it is not Ready, and what to do about it.',
      priority: 1,
    },
    age,
  ],
};

export const policyDefinition: Definition = {
  resource: ResourceLeasingPolicies,
  shortName: 'rlp',
  ...policySchema,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster', description: 'Binding it lends to.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Active, Inactive, Pending or Failed.' },
    { name: 'Active', type: 'boolean', jsonPath: '.status.activeTimeWindow', description: 'Whether a window is open.' },
    {
      name: 'Closes',
      type: 'string',
      jsonPath: '.status.closesAt',
      description: 'When the window closes.',
      priority: 1,
    },
    { name: 'Opens', type: 'string', jsonPath: '.status.opensAt', description: 'When one opens next.', priority: 1 },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes', description: 'Nodes lent now.' },
    ...['cpu', 'memory', 'pods'].map(
      (resource): Column => ({
        name: resource === 'cpu' ? 'CPU' : `${resource[0]?.toUpperCase()}${resource.slice(1)}`,
        type: 'string',
        jsonPath: `.status.resources[?(@.resource=="${resource}")].lent`,
        description: `Lent now of ${resource}, all nodes together.`,
        priority: 1,
      }),
    ),
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'NodesLent, or why nothing is lent.' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Leased")].message',
      description: 'What is lent, and why not more.',
      priority: 1,
    },
    age,
  ],
};

export const leasedNodeDefinition: Definition = {
  resource: LeasedNodes,
  shortName: 'ln',
  ...leasedNodeSchema,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster', description: 'Binding it is lent to.' },
    { name: 'Node', type: 'string', jsonPath: '.spec.nodeName', description: 'Worker node.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Active, Closing or Closed.' },
    { name: 'CPU', type: 'string', jsonPath: '.status.allocatable.cpu', description: 'CPU lent.' },
    { name: 'Memory', type: 'string', jsonPath: '.status.allocatable.memory', description: 'Memory lent.' },
    { name: 'Pods', type: 'string', jsonPath: '.status.allocatable.pods', description: 'Pods lent.' },
    { name: 'Closes', type: 'string', jsonPath: '.status.window.closesAt', description: 'When the window closes.' },
    { name: 'Opens', type: 'string', jsonPath: '.status.window.opensAt', description: 'When one opens next.' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.reason',
      description: 'Why it closes or is closed; Shrunk: pods hold more than is lent by now.',
    },
    { name: 'Policy', type: 'string', jsonPath: '.status.policy', description: 'Policy that lends it.', priority: 1 },
    {
      name: 'Reclaim',
      type: 'string',
      jsonPath: '.status.reclaimStage',
      description: 'How far the taking back is.',
      priority: 1,
    },
    {
      name: 'Cordoned',
      type: 'boolean',
      jsonPath: '.status.unschedulable',
      description: 'Whether the worker node is cordoned: its vnode takes no new pods.',
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.message',
      description: 'The reason in words.',
      priority: 1,
    },
    age,
  ],
};

export const leaseGuardDefinition: Definition = {
  resource: LeaseGuards,
  shortName: 'lg',
  ...leaseGuardSchema,
  columns: [age],
};

/** All kinds of Kubeocean. */
export const definitions: readonly Definition[] = [
  bindingDefinition,
  policyDefinition,
  leasedNodeDefinition,
  leaseGuardDefinition,
];

/** apiextensions.k8s.io/v1 CustomResourceDefinition of a kind. helm keeps it on uninstall, and with it all objects. */
export function customResourceDefinition(definition: Definition): Json {
  const { resource, shortName, columns } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${resource.plural}.${resource.group}`,
      annotations: { 'helm.sh/resource-policy': 'keep' },
    },
    spec: {
      group: resource.group,
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        singular: resource.kind.toLowerCase(),
        shortNames: [shortName],
      },
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          ...(definition.status && { subresources: { status: {} } }),
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: object(
              definition.description,
              {
                apiVersion: text('Version of the schema.'),
                kind: text('Kind of the object.'),
                metadata: { type: 'object' },
                spec: definition.spec,
                ...(definition.status && { status: definition.status }),
              },
              { required: ['spec'] },
            ),
          },
        },
      ],
    },
  };
}
