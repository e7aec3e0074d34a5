import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Quantity } from './quantity.ts';
import { accumulate, formatResources, parseResources } from './resources.ts';
import { Tally } from './tally.ts';

/** The same amounts in several styles: which one a sum is written in depends on what came first. */
const amount = fc.constantFrom('0', '0Gi', '1Gi', '1073741824', '1e9', '250m', '2', '0.1Mi');
const list = fc.dictionary(fc.constantFrom('cpu', 'memory', 'example.com/gpu'), amount, { noNullPrototype: true });

test('is what adding one after the other gives, in amount and style, whatever is counted twice', () => {
  const kinds = fc.array(list, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(kinds, fc.array(fc.nat(3), { maxLength: 30 }), (lists, picks) => {
      const resources = lists.map(parseResources);
      const tally = new Tally();
      const total = new Map<string, Quantity>();
      for (const pick of picks) {
        const each = resources[pick % resources.length] ?? new Map<string, Quantity>();
        tally.add(each);
        accumulate(total, each);
        // Asked in between, it goes on all the same.
        expect(formatResources(tally.total)).toEqual(formatResources(total));
      }
      expect([...tally.total.keys()]).toEqual([...total.keys()]);
      for (const [name, { nanos, format }] of total) {
        expect(tally.total.get(name)?.nanos).toBe(nanos);
        if (nanos > 0n) expect(tally.total.get(name)?.format).toBe(format);
      }
    }),
  );
});
