/** What others may use of the syncer: its options, for the docs, and its start. */
export { SYNCER_OPTIONS as OPTIONS } from './options.ts';
export { runSyncer } from './syncer.ts';
