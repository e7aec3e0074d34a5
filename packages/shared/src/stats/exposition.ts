/**
 * Selecting and relabelling series in Prometheus' text format, leaving every other byte of a kept line as it is: values,
 * timestamps, the order of labels. Pure.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

/** Labels of one series, unescaped. A label named twice keeps its last value. */
export type Labels = ReadonlyMap<string, string>;

/** New values for labels of a series that stays; undefined: the series is left out. */
export type Relabel = (labels: Labels, metric: string) => ReadonlyMap<string, string> | undefined;

export interface Series {
  metric: string;
  labels: Labels;
  /** As written. */
  value: string;
  /** Milliseconds since 1970, when the line has a timestamp. */
  timestamp?: number;
}

interface ParsedLabel {
  name: string;
  value: string;
  /** Where the value stands in the line, between its quotes. */
  from: number;
  to: number;
}

interface ParsedLine {
  metric: string;
  labels: ParsedLabel[];
  /** Everything after the labels. */
  rest: string;
}

const METRIC = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,?)[ \t]*/y;
const VALUE = /^[ \t]*(\S+)(?:[ \t]+(-?\d+))?[ \t]*$/;

/** One line that is a series; undefined for comments, empty lines and what is none. */
function parseLine(line: string): ParsedLine | undefined {
  METRIC.lastIndex = 0;
  const metric = METRIC.exec(line)?.[0];
  if (metric === undefined) return undefined;
  let at = metric.length;
  while (line[at] === ' ' || line[at] === '\t') at++;
  const labels: ParsedLabel[] = [];
  if (line[at] === '{') {
    at++;
    let more = true;
    while (more) {
      LABEL.lastIndex = at;
      const match = LABEL.exec(line);
      if (!match) break;
      const [, name = '', raw = '', comma] = match;
      const from = match.index + match[0].indexOf('"') + 1;
      labels.push({ name, value: unescape(raw), from, to: from + raw.length });
      at = LABEL.lastIndex;
      more = comma === ',';
    }
    while (line[at] === ' ' || line[at] === '\t') at++;
    if (line[at] !== '}') return undefined;
    at++;
  }
  const rest = line.slice(at);
  return VALUE.test(rest) ? { metric, labels, rest } : undefined;
}

function unescape(raw: string): string {
  return raw.includes('\\')
    ? raw.replaceAll(/\\(.)/g, (whole, char: string) =>
        char === 'n' ? '\n' : char === '\\' || char === '"' ? char : whole,
      )
    : raw;
}

/** A label's value as it is written between quotes. */
export function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function asMap(labels: readonly ParsedLabel[]): Labels {
  return new Map(labels.map(({ name, value }) => [name, value]));
}

/** All series of a text, in order. Lines that are none are passed over. */
export function* seriesOf(text: string): Generator<Series> {
  for (const line of text.split('\n')) {
    const parsed = line === '' || line.startsWith('#') ? undefined : parseLine(line);
    if (!parsed) continue;
    const [, value = '', timestamp] = VALUE.exec(parsed.rest) ?? [];
    yield {
      metric: parsed.metric,
      labels: asMap(parsed.labels),
      value,
      ...(timestamp !== undefined && { timestamp: Number(timestamp) }),
    };
  }
}

/**
 * The text with just the series that `relabel` keeps, under the labels it gives (others stay). `# HELP` and `# TYPE`
 * stay for families of which a series is left; a line that cannot be read is left out, never passed on.
 */
export function relabelExposition(text: string, relabel: Relabel): string {
  const kept: string[] = [];
  let comments: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) {
      if (!/^# (?:HELP|TYPE) /.test(line)) continue;
      // A family's comments come before its first series: those of a family without any are replaced by the next.
      if (familyOf(comments[0]) !== familyOf(line)) comments = [];
      comments.push(line);
      continue;
    }
    const parsed = parseLine(line);
    if (!parsed) continue;
    // Of a family that nothing is left of, and this one has no comments of its own.
    if (!isOfFamily(parsed.metric, familyOf(comments[0]))) comments = [];
    const changes = relabel(asMap(parsed.labels), parsed.metric);
    if (!changes) continue;
    kept.push(...comments, withLabels(line, parsed.labels, changes));
    comments = [];
  }
  return kept.length > 0 ? `${kept.join('\n')}\n` : '';
}

function familyOf(comment: string | undefined): string {
  return comment?.split(' ', 3)[2] ?? '';
}

/** Series of histograms, summaries and (in OpenMetrics) counters have more to their names than their family has. */
const SUFFIX = /^_(?:bucket|sum|count|total|created|info)$/;

function isOfFamily(metric: string, family: string): boolean {
  return metric === family || (metric.startsWith(family) && SUFFIX.test(metric.slice(family.length)));
}

function withLabels(line: string, labels: readonly ParsedLabel[], changes: ReadonlyMap<string, string>): string {
  let changed = '';
  let at = 0;
  for (const { name, value, from, to } of labels) {
    const next = changes.get(name);
    if (next === undefined || next === value) continue;
    changed += line.slice(at, from) + escapeLabel(next);
    at = to;
  }
  return changed + line.slice(at);
}
