/** Who finds an event on an object can look it up: some page names its reason. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const sources = globSync('packages/*/src/**/*.ts', { cwd: ROOT }).filter((path) => !path.endsWith('.test.ts'));
/** Calls that make events. Behind `??` stands what is said of something that says no reason of its own. */
const calls = sources.flatMap((path) => read(path).match(/(?:\.event|\btell\w*)\([^;]+;/g) ?? []);
const reasons = new Set(calls.flatMap((call) => call.match(/(?<=(?<!\?\? )')[A-Z][a-z]+[A-Z]\w+(?=')/g) ?? []));

test('pages name the reason of every event', () => {
  expect(reasons.size).toBeGreaterThan(20);
  const told = new Set(globSync('docs/*.md', { cwd: ROOT }).flatMap((path) => read(path).match(/\w+/g) ?? []));
  expect([...reasons].filter((reason) => !told.has(reason))).toEqual([]);
});
