/** What the bench says while it runs, with the time since it began. */
import { startProgress } from '../e2e/clusters/progress.ts';

export const say = startProgress((line) => console.log(line));
