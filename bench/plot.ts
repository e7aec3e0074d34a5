/**
 * latency.svg: created → Ready over the number of pods, p50 and p99 of each mode, both axes logarithmic. Lines join the
 * sizes of one number of nodes and bindings, the one with the most; others are rings beside them. Pure.
 */
import { MODES, type Mode } from './options.ts';
import type { RunRecord } from './records.ts';

const WIDTH = 720;
const HEIGHT = 440;
const LEFT = 64;
const BOTTOM = 56;
const TOP = 48;
const RIGHT = 130;
const COLOURS: Record<Mode, string> = { direct: '#2b8a3e', twin: '#1864ab', through: '#c92a2a' };

/** Powers of ten, and their doubles and fivefolds, that enclose the values. */
function ticks(values: readonly number[]): number[] {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const all: number[] = [];
  for (let power = -3; power <= 6; power++) for (const step of [1, 2, 5]) all.push(Number(`${step}e${power}`));
  const from = Math.max(
    0,
    all.findLastIndex((tick) => tick <= least),
  );
  const to = all.findIndex((tick) => tick >= most);
  return all.slice(from, (to < 0 ? all.length - 1 : Math.max(to, from + 1)) + 1);
}

function configurationOf({ nodes, bindings }: RunRecord): string {
  return `${nodes} nodes, ${bindings} binding(s)`;
}

/** The nodes and bindings that most records have; of several, the first. */
function mostCommon(records: readonly RunRecord[]): string {
  const groups = [...Map.groupBy(records, configurationOf)];
  return groups.reduce((most, group) => (group[1].length > most[1].length ? group : most))[0];
}

/** @param records medians, one of each mode and size */
export function latencyPlot(records: readonly RunRecord[], title: string): string {
  const drawn = records.filter(({ p50, p99 }) => p50 > 0 && p99 > 0);
  if (drawn.length === 0) return svg(text(WIDTH / 2, HEIGHT / 2, 'no run counts', 'middle'));
  const xs = ticks(drawn.map(({ pods }) => pods));
  const ys = ticks(drawn.flatMap(({ p50, p99 }) => [p50, p99]));
  const scale = (value: number, all: number[], from: number, to: number): number => {
    const [low, high] = [Math.log(all[0] as number), Math.log(all.at(-1) as number)];
    return from + ((Math.log(value) - low) / (high - low)) * (to - from);
  };
  const x = (pods: number): number => scale(pods, xs, LEFT, WIDTH - RIGHT);
  const y = (seconds: number): number => scale(seconds, ys, HEIGHT - BOTTOM, TOP);
  const parts = [text(LEFT, 24, title, 'start', 'font-weight="bold"')];
  for (const tick of xs) {
    parts.push(
      line(x(tick), TOP, x(tick), HEIGHT - BOTTOM),
      text(x(tick), HEIGHT - BOTTOM + 18, String(tick), 'middle'),
    );
  }
  for (const tick of ys) {
    parts.push(line(LEFT, y(tick), WIDTH - RIGHT, y(tick)), text(LEFT - 8, y(tick) + 4, `${tick} s`, 'end'));
  }
  parts.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, 'pods', 'middle'));
  let row = 0;
  const joined = mostCommon(drawn);
  parts.push(text(WIDTH - RIGHT, 24, `lines: ${joined}`, 'end'));
  for (const record of drawn.filter((each) => configurationOf(each) !== joined)) {
    for (const field of ['p50', 'p99'] as const) {
      parts.push(
        `<circle cx="${x(record.pods).toFixed(1)}" cy="${y(record[field]).toFixed(1)}" r="4" fill="none" stroke="${COLOURS[record.mode]}"><title>${record.mode} ${field}, ${configurationOf(record)}</title></circle>`,
      );
    }
  }
  for (const mode of MODES) {
    const mine = drawn
      .filter((record) => record.mode === mode && configurationOf(record) === joined)
      .toSorted((a, b) => a.pods - b.pods);
    if (mine.length === 0) continue;
    for (const [field, dash] of [
      ['p50', 'stroke-dasharray="5 4"'],
      ['p99', ''],
    ] as const) {
      const points = mine.map((record) => `${x(record.pods).toFixed(1)},${y(record[field]).toFixed(1)}`);
      parts.push(
        `<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[mode]}" stroke-width="2" ${dash}/>`,
      );
      for (const point of points) {
        const [cx, cy] = point.split(',');
        parts.push(`<circle cx="${cx}" cy="${cy}" r="3" fill="${COLOURS[mode]}"/>`);
      }
      const at = TOP + 12 + row++ * 20;
      parts.push(
        `<line x1="${WIDTH - RIGHT + 14}" y1="${at - 4}" x2="${WIDTH - RIGHT + 38}" y2="${at - 4}" stroke="${COLOURS[mode]}" stroke-width="2" ${dash}/>`,
        text(WIDTH - RIGHT + 44, at, `${mode} ${field}`, 'start'),
      );
    }
  }
  return svg(parts.join('\n'));
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" stroke="#dee2e6"/>`;
}

function text(x: number, y: number, words: string, anchor: string, more = ''): string {
  const safe = escapeXml(words);
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${more}>${safe}</text>`;
}

function svg(content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>
${content}
</svg>
`;
}

/** Text for an element or a quoted attribute. */
export function escapeXml(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
