/**
 * The machine's inotify limits: some 30 instances per cluster, and Linux allows a user 128, so that a third cluster's
 * containerd comes up without its Kubernetes half. Raised while sets run, and put back when the last has gone.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runFolder } from './claim.ts';

const least: Record<string, number> = {
  'fs/inotify/max_user_instances': 8192,
  'fs/inotify/max_user_watches': 524_288,
};

const savedFile = join(runFolder, 'limits.saved');

/** Raises limits that are lower than needed, after noting what they were. */
export function raiseLimits(): void {
  const before: Record<string, number> = {};
  for (const [name, wanted] of Object.entries(least)) {
    const value = Number(readFileSync(join('/proc/sys', name), 'utf8'));
    if (value < wanted) before[name] = value;
  }
  if (Object.keys(before).length === 0) return;
  mkdirSync(runFolder, { recursive: true });
  if (!existsSync(savedFile)) writeFileSync(savedFile, JSON.stringify(before));
  for (const name of Object.keys(before)) writeFileSync(join('/proc/sys', name), String(least[name]));
}

/** Puts back what `raiseLimits` changed. Only when no set is left. */
export function restoreLimits(): void {
  if (!existsSync(savedFile)) return;
  const before = JSON.parse(readFileSync(savedFile, 'utf8')) as Record<string, number>;
  for (const [name, value] of Object.entries(before)) {
    if (name in least) writeFileSync(join('/proc/sys', name), String(value));
  }
  rmSync(savedFile);
}
