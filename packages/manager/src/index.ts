/** What others may use of the manager: its options, for the docs, and its start. */
export { runManager } from './manager.ts';
export { OPTIONS } from './options.ts';
