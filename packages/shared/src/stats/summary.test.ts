import { expect, it } from 'vitest';
import { parseSummary } from './summary.ts';

it('carries unknown fields and leaves out pods that cannot be told apart', () => {
  const pod = { podRef: { name: 'a', namespace: 'b', uid: 'c' }, later: { field: 1 } };
  const text = JSON.stringify({ node: { nodeName: 'n', x: 1 }, pods: [pod, null, {}, { podRef: { name: 'a' } }] });
  expect(parseSummary(text)).toEqual({ node: { nodeName: 'n', x: 1 }, pods: [pod] });
});

it.each(['null', '{}', '[]', '"x"', '{"node":null}', '<html>'])('refuses %s', (text) => {
  expect(() => parseSummary(text)).toThrow();
});
