import { expect, test } from 'vitest';
import { explainNode } from './node.ts';
import { explainPolicy } from './policy.ts';
import { node, now, policy, worker } from './samples.ts';

const at = (value: string) => ({ annotations: { 'kubeocean.io/reclaim': value } });
const words = /kubeocean\.io\/reclaim of the (node|policy) says "true", which does nothing: only "now"/;

test('a value of the annotation that takes nothing back is told', () => {
  const [n, p] = [node('n1'), policy('p')];
  const facts = (value: string) =>
    worker({
      nodes: { value: [{ ...n, metadata: { ...n.metadata, ...at(value) } }] },
      policies: { value: [{ ...p, metadata: { ...p.metadata, ...at(value) } }] },
    });
  const why = (value: string) => [
    explainNode('n1', { now, worker: facts(value) })?.why.join(),
    explainPolicy('p', { now, worker: facts(value) })?.why.join(),
  ];
  for (const text of why('true')) expect(text).toMatch(words);
  for (const text of why('now')) expect(text).not.toContain('does nothing');
});
