/** Kubeocean's own kinds, and every name that is fixed on the wire. */
export * from './binding.ts';
export * from './constants.ts';
export * from './first-few.ts';
export * from './lease-guard.ts';
export * from './leased-node.ts';
export * from './names.ts';
export * from './policy.ts';
export { policySchema } from './policy-schema.ts';
export type { Rule, Schema } from './schema.ts';
export * from './selector.ts';
export * from './volumes.ts';
