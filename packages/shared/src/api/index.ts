/** Kubeocean's own kinds, and every name that is fixed on the wire. */
export * from './binding.ts';
export * from './constants.ts';
export * from './leased-node.ts';
export * from './names.ts';
export * from './policy.ts';
export * from './selector.ts';
