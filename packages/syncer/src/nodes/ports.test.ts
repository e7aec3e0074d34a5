import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseAddress, readyAddresses } from './addresses.ts';
import { createPortBook, fnv1a } from './ports.ts';

test.each([
  // Published test vectors of FNV-1a, 32 bits.
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
])('fnv1a(%j)', (text, hash) => {
  expect(fnv1a(text)).toBe(hash);
});

test('a port that is shown is kept; one that is taken, malformed or out of range is not', () => {
  const book = createPortBook();
  expect(book.portOf('a', '15007')).toBe(15007);
  expect(book.portOf('b', '15007')).not.toBe(15007);
  for (const shown of ['22', '30000', 'x', '15000.5']) expect(book.portOf(`c${shown}`, shown)).not.toBe(Number(shown));
  book.release('a');
  expect(book.portOf('d', '15007')).toBe(15007);
});

test('ports are distinct, in range, and the same for the same names', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 300 }), (names) => {
      const book = createPortBook();
      const ports = names.map((name) => book.portOf(name));
      expect(new Set(ports).size).toBe(names.length);
      for (const port of ports) expect(port >= 15000 && port <= 29999).toBe(true);
      const again = createPortBook();
      expect(names.map((name) => again.portOf(name))).toEqual(ports);
    }),
  );
});

test('only ready endpoints serve', () => {
  const slice = (endpoints: unknown) => ({ metadata: { name: 's' }, endpoints });
  const endpoint = (address: string, ready?: boolean) => ({ addresses: [address], conditions: { ready } });
  expect(
    readyAddresses([
      slice([endpoint('10.0.0.2', true), endpoint('10.0.0.3', false), endpoint('not an address', true)]),
      slice([endpoint('10.0.0.1'), { addresses: ['10.0.0.2'] }]),
      slice(null),
    ]),
  ).toEqual(['10.0.0.1', '10.0.0.2']);
});

test('when a replica goes, only the vnodes it served move', () => {
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const served = new Map<string, number>();
  for (let i = 0; i < 300; i++) {
    const before = chooseAddress(`vnode-${i}`, addresses) as string;
    served.set(before, (served.get(before) ?? 0) + 1);
    const after = chooseAddress(`vnode-${i}`, addresses.slice(1));
    if (before !== addresses[0]) expect(after).toBe(before);
  }
  for (const address of addresses) expect(served.get(address)).toBeGreaterThan(60);
  expect(chooseAddress('vnode-1', [])).toBeUndefined();
});
