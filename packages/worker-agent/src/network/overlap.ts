/**
 * Whether pods of this cluster have addresses that the computing clusters use too. Then pods of the two cannot reach each
 * other, and nothing tells them so. What is known of the other side is what the owner gave the chart. Pure.
 */
import { BlockList, isIP } from 'node:net';
import type { DesiredRecord, WorkerNode } from '@kubeocean/shared/lease';

interface Range {
  text: string;
  address: string;
  length: number;
  family: 'ipv4' | 'ipv6';
}

/** @throws Error naming what is no range */
export function parseRanges(text: string): Range[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const range = readRange(part);
      if (!range) throw new Error(`"${part}" is no range of addresses such as 10.20.0.0/16 or fd00:20::/48`);
      return range;
    });
}

function readRange(text: string): Range | undefined {
  const [address = '', bits = ''] = text.split('/');
  const version = isIP(address);
  const length = Number(bits);
  if (version === 0 || !/^\d{1,3}$/.test(bits) || length > (version === 4 ? 32 : 128)) return undefined;
  return { text, address, length, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Two ranges overlap when one of them holds the first address of the other. */
export function overlap(a: Range, b: Range): boolean {
  return a.family === b.family && (holds(a, b) || holds(b, a));
}

function holds(outer: Range, { address, family }: Range): boolean {
  const list = new BlockList();
  list.addSubnet(outer.address, outer.length, outer.family);
  return list.check(address, family);
}

/** By ranges of the computing clusters, what was found of a node, which is never changed in place. */
const known = new WeakMap<readonly Range[], WeakMap<WorkerNode, readonly string[]>>();

/** By node whose pods have addresses of a computing cluster: which of their ranges lies in which of its, in words. */
export function overlapsByNode(
  nodes: Iterable<WorkerNode>,
  computing: readonly Range[],
): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  if (computing.length === 0) return found;
  const ofNodes = known.get(computing) ?? new WeakMap<WorkerNode, readonly string[]>();
  known.set(computing, ofNodes);
  for (const node of nodes) {
    let words = ofNodes.get(node);
    if (!words) ofNodes.set(node, (words = overlapsOf(node, computing)));
    if (words.length > 0) found.set(node.metadata.name, words);
  }
  return found;
}

function overlapsOf({ metadata, spec }: WorkerNode, computing: readonly Range[]): string[] {
  const ranges = (spec?.['podCIDRs'] as string[] | undefined) ?? [];
  return ranges.map(readRange).flatMap((own) => {
    const other = own && computing.find((range) => overlap(own, range));
    return own && other ? [`${own.text} of node ${metadata.name} lies in ${other.text}`] : [];
  });
}

/** The records, those of nodes whose pods have such addresses with a word of it. */
export function withOverlaps(
  records: readonly DesiredRecord[],
  overlaps: ReadonlyMap<string, readonly string[]>,
): DesiredRecord[] {
  return records.map((record) => {
    const words = overlaps.get(record.spec.nodeName);
    return words ? { ...record, status: { ...record.status, networkOverlap: words.join('; ') } } : record;
  });
}

/** What is wrong, in words for policies; undefined when nothing is known to be. */
export function overlapProblem(overlaps: ReadonlyMap<string, readonly string[]>): string | undefined {
  const found = [...overlaps.values()].flat();
  if (found.length === 0) return undefined;
  const more = found.length > 3 ? ` and ${found.length - 3} more` : '';
  return (
    `pods of this cluster have addresses that a computing cluster uses too: ${found.sort().slice(0, 3).join('; ')}${more} ` +
    '(networkPolicy.computingCIDRs of the chart kubeocean-worker); pods of the two may not reach each other'
  );
}
