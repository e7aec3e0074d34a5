/**
 * Runs before each end-to-end test file, in its process, which may have run other files before: from here on "the clusters"
 * are those of the process's lane, and what the file makes is taken away after its last test.
 */
import { stateRoot } from './clusters/paths.ts';
import { registerTests } from './harness/after-test.ts';
import { registerCleanup } from './harness/cleanup.ts';
import { laneRoot } from './lanes.ts';

// A process that takes a second file starts from the same folder.
process.env['KUBEOCEAN_FIRST_LANE'] ??= stateRoot();
const lane = Number(process.env['VITEST_POOL_ID'] ?? 1);
process.env['KUBEOCEAN_LOCAL'] = laneRoot(lane, process.env['KUBEOCEAN_FIRST_LANE']);
registerCleanup();
registerTests();
