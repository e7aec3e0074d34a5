/**
 * A CPU profile as a flame graph: a box for each function where it was called from, as wide as the time in it and in what it
 * calls, callers below. What waits is left out, and so is what took too little to be seen. Pure.
 */
import { escapeXml } from './plot.ts';

/** As V8 gives it; `children` are ids of nodes, times are in microseconds. */
export interface CpuProfile {
  nodes: { id: number; children?: number[]; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

interface Box {
  name: string;
  kind: keyof typeof COLOURS;
  /** Microseconds, with what it calls. */
  total: number;
  callees: Map<string, Box>;
}

const WIDTH = 1200;
const ROW = 17;
const TOP = 34;
/** Of all the time that is not waited: boxes of less are not drawn. */
const LEAST = 0.002;
const LETTER = 6.3;
const COLOURS = { ours: '#ffa94d', node: '#74c0fc', engine: '#ced4da' };
/** Functions in which nothing is computed: V8's own, and the rests of a busy process (packages/shared/src/kube/coalescing.ts). */
export const WAITING: readonly string[] = ['(idle)', 'restAfterTurn'];

export function flameGraph(profile: CpuProfile, title: string): string {
  const root = treeOf(profile);
  const rows = depthOf(root, root.total * LEAST);
  const height = TOP + (rows + 1) * ROW;
  const parts: string[] = [];
  if (root.total > 0) draw(root, 0, 0);
  const heading = `<text x="4" y="20" font-weight="bold">${escapeXml(title)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">\n<rect width="${WIDTH}" height="${height}" fill="white"/>\n${heading}\n${parts.join('\n')}\n</svg>\n`;

  function draw(box: Box, from: number, row: number): void {
    const width = (WIDTH * box.total) / root.total;
    const [x, y] = [from.toFixed(1), height - (row + 1) * ROW];
    const share = `${((100 * box.total) / root.total).toFixed(1)} %, ${(box.total / 1000).toFixed(0)} ms`;
    const letters = Math.floor((width - 4) / LETTER);
    const words = letters < 3 ? '' : box.name.length > letters ? `${box.name.slice(0, letters - 1)}…` : box.name;
    parts.push(
      `<g><title>${escapeXml(`${box.name}: ${share}`)}</title><rect x="${x}" y="${y}" width="${Math.max(width - 0.5, 0.5).toFixed(1)}" height="${ROW - 1}" fill="${COLOURS[box.kind]}"/>` +
        (words ? `<text x="${(from + 2).toFixed(1)}" y="${y + 12}">${escapeXml(words)}</text>` : '') +
        '</g>',
    );
    let next = from;
    for (const callee of shown(box, root.total * LEAST)) {
      draw(callee, next, row + 1);
      next += (WIDTH * callee.total) / root.total;
    }
  }
}

function treeOf({ nodes, samples, timeDeltas }: CpuProfile): Box {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callerOf = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const times = new Map<number, number>();
  for (const [at, id] of samples.entries()) times.set(id, (times.get(id) ?? 0) + (timeDeltas[at] ?? 0));
  const root: Box = { name: 'all', kind: 'engine', total: 0, callees: new Map() };
  for (const [id, time] of times) {
    const path: number[] = [];
    for (let at: number | undefined = id; at !== undefined; at = callerOf.get(at)) path.unshift(at);
    const frames = path.map((at) => byId.get(at)?.callFrame).filter((frame) => frame !== undefined);
    if (WAITING.includes(frames.at(-1)?.functionName ?? '')) continue;
    let box = root;
    box.total += time;
    for (const { functionName, url } of frames) {
      if (functionName === '(root)') continue;
      const name = functionName || '(anonymous)';
      const kind = url === '' ? 'engine' : url.startsWith('node:') ? 'node' : 'ours';
      const callee = box.callees.get(`${kind} ${name}`) ?? { name, kind, total: 0, callees: new Map<string, Box>() };
      box.callees.set(`${kind} ${name}`, callee);
      callee.total += time;
      box = callee;
    }
  }
  return root;
}

/** Those that are wide enough to be drawn, the widest first. */
function shown({ callees }: Box, least: number): Box[] {
  return [...callees.values()].filter(({ total }) => total >= least).toSorted((a, b) => b.total - a.total);
}

function depthOf(box: Box, least: number): number {
  return Math.max(0, ...shown(box, least).map((callee) => 1 + depthOf(callee, least)));
}
