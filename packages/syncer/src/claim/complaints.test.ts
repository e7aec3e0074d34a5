import { ApiError, type Condition, ConnectionError } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { sampleBinding } from '../nodes/samples.ts';
import { createComplaints } from './complaints.ts';

const refused = new ApiError(403, { message: 'no' }, 'PATCH', '/');
const silent = new ConnectionError('https://worker', 'ETIMEDOUT', 'no answer in time');

/** In which turns something was said of the claim and what, and how often the log was told. */
function after(error: unknown, wasHeld: boolean, found: 'held' | 'refused' | undefined) {
  const binding = sampleBinding();
  const conditions: Condition[] = [{ type: 'Claimed', status: wasHeld ? 'True' : 'False' }];
  const said: number[] = [];
  const reasons = new Set<string>();
  let turn = 0;
  let logged = 0;
  const context = {
    binding: () => ({ ...binding, status: { conditions } }),
    log: { warn: () => logged++ },
    report: {
      condition({ status, reason }: Condition) {
        said.push(turn);
        reasons.add(`${status} ${reason}`);
      },
    },
  } as unknown as SyncerContext;
  const complaints = createComplaints(context, 'ns/claim');
  for (turn = 1; turn <= 7; turn++) complaints.tell(error, found);
  complaints.over();
  complaints.tell(error, found);
  return { said, logged, reasons: [...reasons] };
}

const NOT_CLAIMED = 'False NotClaimedYet';

test.each<[string, unknown, boolean, 'held' | 'refused' | undefined, number[], string[]]>([
  ['that refuses a new binding', refused, false, undefined, [1, 2, 3, 4, 5, 6, 7, 8], [NOT_CLAIMED]],
  ['that is silent to a new binding', silent, false, undefined, [1, 2, 3, 4, 5, 6, 7, 8], [NOT_CLAIMED]],
  ['that refuses what the last syncer held', refused, true, undefined, [5, 6, 7], [NOT_CLAIMED]],
  ['that is silent where the last syncer held it', silent, true, undefined, [], []],
  ['that refuses to renew what this syncer holds', refused, true, 'held', [5, 6, 7], ['True ClaimNotRenewed']],
  ['that is silent where this syncer holds it', silent, true, 'held', [], []],
  ['that refuses where the claim is refused', refused, true, 'refused', [], []],
])('in which turns the binding is told of a worker %s', (_, error, wasHeld, found, said, reasons) => {
  // The log once, and once again after a turn that went well.
  expect(after(error, wasHeld, found)).toEqual({ said, logged: 2, reasons });
});
