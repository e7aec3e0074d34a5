/** Metrics of lent nodes between agent and proxier: names, and reading what kubelets answer. */
export * from './exact.ts';
export * from './exposition.ts';
export * from './names.ts';
export * from './summary.ts';
export * from './token.ts';
