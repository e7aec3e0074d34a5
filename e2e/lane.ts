/** Runs before each end-to-end test file, in its process: from here on "the clusters" are those of the file's lane. */
import { stateRoot } from './clusters/paths.ts';
import { laneRoot } from './lanes.ts';

// A process that takes a second file starts from the same folder.
process.env['KUBEOCEAN_FIRST_LANE'] ??= stateRoot();
const lane = Number(process.env['VITEST_POOL_ID'] ?? 1);
process.env['KUBEOCEAN_LOCAL'] = laneRoot(lane, process.env['KUBEOCEAN_FIRST_LANE']);
