/** Talking to an API server: the part that every process stands on. */
export * from './client.ts';
export type { Coalescing } from './coalescing.ts';
export * from './credentials.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './kubeconfig.ts';
export * from './leader.ts';
export * from './patch.ts';
export * from './queue.ts';
export * from './reflector.ts';
export * from './resources.ts';
export { retryDelayMs } from './retry.ts';
export { byController } from './share.ts';
export { sleep, untilAborted } from './sleep.ts';
export * from './store.ts';
export * from './transport.ts';
export * from './types.ts';
export { lines, revisionIn } from './watch-lines.ts';
