import { expect, it } from 'vitest';
import { focusOn, sharesOf } from './shares.ts';

it('deals cases out in turn, and lets serial ones run alone at the end', () => {
  expect(sharesOf(['a', 'b [Serial]', 'c', 'd', 'e [Disruptive]', 'f'], 3)).toEqual([
    [['a', 'f'], ['c'], ['d']],
    [['b [Serial]', 'e [Disruptive]']],
  ]);
});

it('makes no empty shares', () => {
  expect(sharesOf(['a'], 4)).toEqual([[['a']]]);
  expect(sharesOf(['b [Serial]'], 4)).toEqual([[['b [Serial]']]]);
  expect(sharesOf([], 4)).toEqual([]);
});

it('names exactly its cases', () => {
  const names = ['[sig-node] Pods should *not* be (a|b) $x [NodeConformance]', "Pods' should be updated"];
  const focus = new RegExp(focusOn(names));
  for (const name of names) expect(focus.test(`Kubernetes e2e suite ${name}`)).toBe(true);
  expect(focus.test("Pods' should be updated again")).toBe(false);
  expect(focus.test('[sig-node] Pods should *not* be (a|b) $x (NodeConformance)')).toBe(false);
});
