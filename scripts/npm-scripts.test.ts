/** Whoever has just cloned the repository may begin with any npm script: CONTRIBUTING.md says that each installs what it needs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

test.each(Object.entries(scripts))('npm run %s installs what it needs first', (_, command) => {
  expect(command).toMatch(/^sh scripts\/setup\.sh(?: && |$)/);
});
