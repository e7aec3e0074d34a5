/** What others may read of the proxier: its table of flags, for the docs. */
export { OPTIONS } from './options.ts';
