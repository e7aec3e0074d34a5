import { ApiError, type Condition, ConnectionError } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { createComplaints } from './complaints.ts';

const refused = new ApiError(403, { message: 'no' }, 'PATCH', '/');
const silent = new ConnectionError('https://worker', 'ETIMEDOUT', 'no answer in time');

/** The statuses that were said of the claim after each of ten turns, and how often the log was told. */
function after(error: unknown, wasHeld: boolean, isDecided = false): { said: number[]; logged: number } {
  const binding = sampleBinding();
  const conditions: Condition[] = [{ type: 'Claimed', status: wasHeld ? 'True' : 'False' }];
  const said: number[] = [];
  let turn = 0;
  let logged = 0;
  const context = {
    binding: () => ({ ...binding, status: { conditions } }),
    log: { warn: () => logged++ },
    report: { condition: () => said.push(turn) },
  } as unknown as SyncerContext;
  const complaints = createComplaints(context, 'ns/claim');
  for (turn = 1; turn <= 7; turn++) complaints.tell(error, isDecided);
  complaints.over();
  complaints.tell(error, isDecided);
  return { said, logged };
}

test.each<[string, unknown, boolean, boolean, number[]]>([
  ['that refuses a new binding', refused, false, false, [1, 2, 3, 4, 5, 6, 7, 8]],
  ['that is silent to a new binding', silent, false, false, [1, 2, 3, 4, 5, 6, 7, 8]],
  ['that refuses what the last syncer held', refused, true, false, [5, 6, 7]],
  ['that is silent where the last syncer held it', silent, true, false, []],
  ['that refuses what this syncer holds', refused, true, true, []],
])('in which turns the binding is told of a worker %s', (_, error, wasHeld, isDecided, said) => {
  // The log once, and once again after a turn that went well.
  expect(after(error, wasHeld, isDecided)).toEqual({ said, logged: 2 });
});
