import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeLabel, type Labels, relabelExposition, seriesOf } from './exposition.ts';

const TEXT = `# HELP a_total Help with "quotes" and \\\\ in it
# TYPE a_total counter
a_total{namespace="n1",pod="p1"} 1.5e-09 1700000000000
a_total{namespace="n2",pod="p2"} 2 1700000000001
# HELP node_only Of the node
# TYPE node_only gauge
node_only 7
# HELP b Two
# TYPE b histogram
b_bucket{pod="p1",namespace="n1",le="+Inf",} NaN
b_sum{pod="p1",namespace="n1"}   +Inf
broken{pod="p1",namespace="n1" 3
b_count{pod="p2",namespace="n2"} 1
`;

const onlyN1 = (labels: Labels) => (labels.get('namespace') === 'n1' ? new Map([['pod', 'x"\\\ny']]) : undefined);

describe('relabelExposition', () => {
  it('keeps what is selected, byte for byte but for the labels changed', () => {
    expect(relabelExposition(TEXT, onlyN1)).toBe(`# HELP a_total Help with "quotes" and \\\\ in it
# TYPE a_total counter
a_total{namespace="n1",pod="x\\"\\\\\\ny"} 1.5e-09 1700000000000
# HELP b Two
# TYPE b histogram
b_bucket{pod="x\\"\\\\\\ny",namespace="n1",le="+Inf",} NaN
b_sum{pod="x\\"\\\\\\ny",namespace="n1"}   +Inf
`);
  });

  it('tells HELP and TYPE of no family that nothing is left of', () => {
    const dropped = '# HELP a x\n# TYPE a counter\na{namespace="n2"} 1\n';
    const bare = 'b{namespace="n1"} 2\n';
    expect(relabelExposition(dropped + bare, onlyN1)).toBe(bare);
    const longer = 'a_longer{namespace="n1"} 2\n';
    expect(relabelExposition(dropped + longer, onlyN1)).toBe(longer);
    const later = 'a{namespace="n1"} 3\n';
    expect(relabelExposition(dropped + later, onlyN1)).toBe(`# HELP a x\n# TYPE a counter\n${later}`);
  });

  it('gives nothing, not even comments, when nothing is selected', () => {
    expect(relabelExposition(TEXT, () => undefined)).toBe('');
    expect(relabelExposition('', () => new Map())).toBe('');
  });

  it('reads escaped labels, and braces and commas in them', () => {
    const seen: Labels[] = [];
    const line = 'm{a="}{,=\\"",b="\\\\n\\n", c = "" } 1\n';
    expect(relabelExposition(line, (labels) => (seen.push(labels), new Map()))).toBe(line);
    expect(Object.fromEntries(seen[0] ?? [])).toEqual({ a: '}{,="', b: '\\n\n', c: '' });
  });

  it.each([
    'm{a="b} 1',
    'm{a="b"c="d"} 1',
    'm{a="b"',
    'm',
    'm{} 1 2 3',
    '1m 1',
    'm{a="b"} 1 x',
    'm{a="b",,} 1',
    '{a="b"} 1',
  ])('never passes on what it cannot read: %s', (line) =>
    expect(relabelExposition(`${line}\n`, () => new Map())).toBe(''),
  );
});

const label = fc.tuple(fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/), fc.string({ unit: 'binary', maxLength: 20 }));
const series = fc.record({
  metric: fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,12}$/),
  labels: fc.uniqueArray(label, { selector: ([name]) => name, maxLength: 5 }),
  value: fc.oneof(fc.double().map(String), fc.constantFrom('NaN', '+Inf', '-Inf', '1e-09', '0x1p-2')),
  timestamp: fc.option(fc.integer({ min: -1000, max: 2_000_000_000_000 }), { nil: undefined }),
});
type Drawn = typeof series extends fc.Arbitrary<infer T> ? T : never;

function written({ metric, labels, value, timestamp }: Drawn): string {
  const inner = labels.map(([name, text]) => `${name}="${escapeLabel(text)}"`).join(',');
  return `${metric}${labels.length > 0 ? `{${inner}}` : ''} ${value}${timestamp === undefined ? '' : ` ${timestamp}`}`;
}

describe('any text', () => {
  it('comes back as it is when everything is kept and nothing changed', () => {
    fc.assert(
      fc.property(fc.array(series, { minLength: 1 }), (all) => {
        const text = `${all.map(written).join('\n')}\n`;
        expect(relabelExposition(text, () => new Map())).toBe(text);
      }),
    );
  });

  it('reads back with new labels and untouched values and timestamps', () => {
    fc.assert(
      fc.property(fc.array(series), fc.string({ unit: 'binary' }), (all, next) => {
        const text = all.map((one) => `${written(one)}\n`).join('');
        const changed = relabelExposition(text, (labels) => new Map([...labels.keys()].map((name) => [name, next])));
        expect([...seriesOf(changed)]).toEqual(
          all.map(({ metric, labels, value, timestamp }) => ({
            metric,
            labels: new Map(labels.map(([name]) => [name, next])),
            value,
            ...(timestamp !== undefined && { timestamp }),
          })),
        );
      }),
    );
  });

  it('however broken, is read without an error', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void relabelExposition(text, () => new Map())));
  });
});
