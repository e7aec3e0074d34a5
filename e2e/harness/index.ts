/** What every end-to-end test uses. Import from here. */
export { afterTest } from './after-test.ts';
export * from './api-proxy.ts';
export * from './api-server.ts';
export * from './binding.ts';
export * from './by-hand.ts';
export * from './charts.ts';
export { cleanup } from './cleanup.ts';
export * from './clusters.ts';
export * from './events.ts';
export * from './forget.ts';
export * from './link.ts';
export * from './names.ts';
export * from './objects.ts';
export * from './process.ts';
export * from './samples.ts';
export * from './wait.ts';
