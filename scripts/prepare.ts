/** Brings up what the end-to-end tests need, without running any: `npm test` does it while checks and unit tests run. */
import { prepare } from '../e2e/setup.ts';

await prepare();
