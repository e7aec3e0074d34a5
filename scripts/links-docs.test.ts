/** Links between documents lead to files and headings that there are. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT });

/** Without what is shown as code, where brackets and hashes mean something else. */
function proseOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replace(/^```[^]*?^```/gm, '');
}

/** As GitHub names a heading: lower case, without signs, dashes for spaces. */
function anchorsOf(path: string): Set<string> {
  const headings = proseOf(path).match(/(?<=^#+ ).*$/gm) ?? [];
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\-_ ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('there are documents', () => expect(documents.length).toBeGreaterThan(20));

test.each(documents)('links of %s lead somewhere', (document) => {
  const links = [...proseOf(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
  const lost = links
    .filter((link) => !/^https?:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : normalize(join(dirname(document), path));
      return !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor));
    });
  expect(lost).toEqual([]);
});
