/**
 * Which set of clusters is whose: a state folder holds one index of the machine (0 to 15), and one command at a time
 * works on it. Both are files under /run/kubeocean, made with link(2), which fails when the name is taken: two runs
 * started together cannot both win.
 */

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { highestIndex } from './plan.ts';
import { isAlive, parseStartTime } from './process.ts';

/** Short, because Unix sockets live below it and their paths end at 107 characters. */
export const runFolder = '/run/kubeocean';
/** What takes space: images, etcd's data, pods' volumes. */
export const dataFolder = '/var/lib/kubeocean';

export interface Claim {
  index: number;
  root: string;
}

function claimFile(index: number, folder: string): string {
  return join(folder, `${index}.json`);
}

function readClaim(index: number, folder: string): Claim | undefined {
  try {
    const { root } = JSON.parse(readFileSync(claimFile(index, folder), 'utf8')) as { root: string };
    return { index, root };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${claimFile(index, folder)} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The index that a state folder holds, if any. */
export function findClaim(root: string, folder = runFolder): Claim | undefined {
  for (let index = 0; index <= highestIndex; index++) {
    const claim = readClaim(index, folder);
    if (claim?.root === root) return claim;
  }
  return undefined;
}

// A file with its content in one step: nobody ever reads half of it, and only one of several can make it.
function createWhole(file: string, text: string): boolean {
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, text);
  try {
    linkSync(fresh, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(fresh);
  }
}

/** The index of a state folder, taken now if it has none. `usable` says whether an index's addresses are free. */
export function takeClaim(root: string, usable: (index: number) => boolean, folder = runFolder): Claim {
  const held = findClaim(root, folder);
  if (held) return held;
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index <= highestIndex; index++) {
    if (readClaim(index, folder) || !usable(index)) continue;
    if (createWhole(claimFile(index, folder), `${JSON.stringify({ root })}\n`)) return { index, root };
  }
  throw new Error(
    `all ${highestIndex + 1} address ranges are taken: end a set that ${folder}/*.json names, with "down"`,
  );
}

export function releaseClaim(claim: Claim, folder = runFolder): void {
  rmSync(claimFile(claim.index, folder), { force: true });
}

/** Keeps other commands off a set until the returned function is called, or this process ends. */
export function lockSet(claim: Claim, folder = runFolder): () => void {
  const file = join(folder, `${claim.index}.lock`);
  const startTime = parseStartTime(readFileSync('/proc/self/stat', 'utf8'))!;
  const text = `${process.pid} ${startTime}\n`;
  while (!createWhole(file, text)) {
    const [pid, began] = readFileSync(file, 'utf8').trim().split(' ');
    if (isAlive({ pid: Number(pid), startTime: began ?? '', hash: '' })) {
      throw new Error(`process ${pid} is working on this set of clusters (${claim.root}): wait for it, or end it`);
    }
    // Left by a killed run. Renamed before it is removed, so that of two finders only one takes it away.
    try {
      renameSync(file, `${file}.${process.pid}.old`);
      unlinkSync(`${file}.${process.pid}.old`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return () => rmSync(file, { force: true });
}
