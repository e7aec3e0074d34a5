/** Documents name tests: each has to exist, and one that is said to show a pod's field has to speak of that field. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FIELD_TABLES } from '../packages/syncer/src/pods/fields.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test.each(globSync(['docs/**/*.md', '*.md', 'charts/**/*.md'], { cwd: ROOT }))(
  'tests that %s names exist',
  (document) => {
    const named = read(document).match(/(?:e2e|packages|scripts|bench)\/[\w./-]+\.test\.ts/g) ?? [];
    expect([...new Set(named)].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  },
);

test.each(Object.entries(FIELD_TABLES))('tests that are said to show fields of %s speak of them', (_, table) => {
  const silent = Object.entries(table)
    // packages/syncer/src/pods/fields.test.ts goes through the tables, row by row.
    .filter(([, [, , name]]) => name !== 'unit')
    .filter(([field, [, , name]]) => !new RegExp(`\\b${field}\\b`).test(read(`e2e/${name}.test.ts`)));
  expect(silent.map(([field, [, , name]]) => `${field}: e2e/${name}.test.ts`)).toEqual([]);
});
