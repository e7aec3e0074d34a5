import { describe, expect, it } from 'vitest';
import type { NodeSelector, NodeSelectorRequirement } from '../api/selector.ts';
import { matchesNode, nodeSelectorProblem } from './selector.ts';

const node = { metadata: { name: 'node1', labels: { role: 'worker', cores: '8', empty: '' } } };

function one(...matchExpressions: NodeSelectorRequirement[]): NodeSelector {
  return { nodeSelectorTerms: [{ matchExpressions }] };
}

function field(operator: NodeSelectorRequirement['operator'], ...values: string[]): NodeSelector {
  return { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator, values }] }] };
}

const cases: [string, NodeSelector | undefined, boolean][] = [
  ['left out', undefined, true],
  ['without terms', { nodeSelectorTerms: [] }, true],
  ['with one empty term', { nodeSelectorTerms: [{}] }, false],
  ['In', one({ key: 'role', operator: 'In', values: ['a', 'worker'] }), true],
  ['In, other value', one({ key: 'role', operator: 'In', values: ['a'] }), false],
  ['In, no such label', one({ key: 'none', operator: 'In', values: [''] }), false],
  ['In, empty value', one({ key: 'empty', operator: 'In', values: [''] }), true],
  ['In on a name every object has', one({ key: 'constructor', operator: 'Exists' }), false],
  ['NotIn', one({ key: 'role', operator: 'NotIn', values: ['a'] }), true],
  ['NotIn, no such label', one({ key: 'none', operator: 'NotIn', values: ['a'] }), true],
  ['NotIn, same value', one({ key: 'role', operator: 'NotIn', values: ['worker'] }), false],
  ['Exists', one({ key: 'empty', operator: 'Exists' }), true],
  ['DoesNotExist', one({ key: 'empty', operator: 'DoesNotExist' }), false],
  ['Gt', one({ key: 'cores', operator: 'Gt', values: ['7'] }), true],
  ['Gt, equal', one({ key: 'cores', operator: 'Gt', values: ['8'] }), false],
  ['Lt', one({ key: 'cores', operator: 'Lt', values: ['9'] }), true],
  ['Gt on text', one({ key: 'role', operator: 'Gt', values: ['1'] }), false],
  ['expressions are ANDed', one({ key: 'role', operator: 'Exists' }, { key: 'none', operator: 'Exists' }), false],
  [
    'terms are ORed',
    {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'none', operator: 'Exists' }] },
        { matchExpressions: [{ key: 'role', operator: 'Exists' }] },
      ],
    },
    true,
  ],
  ['field In', field('In', 'node1'), true],
  ['field In, other node', field('In', 'node2'), false],
  ['field NotIn', field('NotIn', 'node2'), true],
  ['field In with two values is not valid and matches nothing', field('In', 'node1', 'node2'), false],
];

function term(expression: string, times = 1): string {
  const one = `{"matchExpressions": [${expression}]}`;
  return `{"nodeSelectorTerms": [${Array.from({ length: times }, () => one).join()}]}`;
}

describe('a node selector', () => {
  it.each(cases)('%s', (_, selector, expected) => expect(matchesNode(selector, node)).toBe(expected));

  it.each([
    [one({ key: 'a', operator: 'In' }), /In needs at least one value/],
    [one({ key: 'a', operator: 'Exists', values: ['x'] }), /takes no values/],
    [one({ key: 'a', operator: 'Gt', values: ['x'] }), /exactly one integer/],
    [one({ key: 'a', operator: 'Gt', values: ['9223372036854775808'] }), /exactly one integer/],
    [one({ key: 'a', operator: 'Gt', values: [`${'0'.repeat(63)}1`] }), /exactly one integer/],
    [one({ key: 'a', operator: 'Near' as 'In' }), /operator "Near" does not exist/],
    [field('In', 'a', 'b'), /exactly one value/],
    [field('Exists'), /use In or NotIn/],
    [{ nodeSelectorTerms: [{ matchFields: [{ key: 'spec.x', operator: 'In' as const, values: ['a'] }] }] }, /spec\.x/],
  ])('%j is told to be wrong', (selector, problem) => expect(nodeSelectorProblem(selector)).toMatch(problem));

  it.each<[string, RegExp]>([
    ['5', /^it is not an object/],
    ['"x"', /^it is not an object/],
    ['[]', /^it is not an object/],
    ['{"nodeSelectorTerms": {"length": 1}}', /^nodeSelectorTerms is not a list/],
    ['{"nodeSelectorTerms": [null]}', /^nodeSelectorTerms\[0\] is not an object/],
    ['{"nodeSelectorTerms": [{"matchExpressions": "ab"}]}', /\[0\]: matchExpressions is not a list/],
    ['{"nodeSelectorTerms": [{"matchFields": [1]}]}', /\[0\]: matchFields\[0\] is not an object/],
    [term('{"key": {"toString": 1}, "operator": "Exists"}'), /matchExpressions\[0\] has no key that is a text/],
    [term('{"key": "a", "operator": ["In"]}'), /has no operator that is a text/],
    [term('{"key": "a", "operator": "In", "values": "xworkerx"}'), /matchExpressions\[0\]: values is not a list/],
    [term('{"key": "a", "operator": "In", "values": {"length": 1}}'), /values is not a list/],
    [term('{"key": "a", "operator": "In", "values": [{}]}'), /values\[0\] is not a text/],
    [term('{"key": "a", "operator": "Exists"}', 65), /nodeSelectorTerms has 65 items, more than 64/],
    [
      term(`{"key": "${'k'.repeat(500)}", "operator": "In"}`),
      /^nodeSelectorTerms\[0\]: matchExpressions, key "k{80}…": In/,
    ],
    [
      `{"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "${'o'.repeat(500)}"}]}]}`,
      /^nodeSelectorTerms\[0\]: matchFields: operator o{80}… is not allowed/,
    ],
  ])('that is none, such as %s, is told to be wrong, and nothing throws', (text, problem) => {
    expect(nodeSelectorProblem(JSON.parse(text) as NodeSelector)).toMatch(problem);
  });

  it.each([`"${'k'.repeat(79)}😀${'k'.repeat(9)}"`, '"k\\ud83d"'])('is told without half a character: %s', (key) => {
    const problem = nodeSelectorProblem(JSON.parse(term(`{"key": ${key}, "operator": "In"}`)) as NodeSelector);
    expect(problem).toMatch(/^nodeSelectorTerms\[0\]: matchExpressions, key "k+/);
    expect(problem?.isWellFormed()).toBe(true);
  });

  it('that is right has no problem', () => {
    for (const [, selector] of cases.slice(0, 21)) expect(nodeSelectorProblem(selector)).toBeUndefined();
  });
});
