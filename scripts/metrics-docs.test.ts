/** The page that somebody opens at night names every metric there is, and no page names one that is not there. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const sources = globSync('packages/*/src/**/*.ts', { cwd: ROOT }).filter((path) => !path.endsWith('.test.ts'));
const made = new Set(sources.flatMap((path) => read(path).match(/(?<=name: ')kubeocean_\w+(?=')/g) ?? []));

test('docs/monitoring.md tells of every metric', () => {
  expect(made.size).toBeGreaterThan(20);
  const told = new Set(read('docs/monitoring.md').match(/\bkubeocean_\w+/g));
  expect([...made].filter((name) => !told.has(name))).toEqual([]);
});

test.each(globSync('docs/**/*.md', { cwd: ROOT }))('%s names metrics that there are', (document) => {
  const named = read(document).match(/\bkubeocean_\w+/g) ?? [];
  expect([...new Set(named)].filter((name) => !made.has(name))).toEqual([]);
});

/** Labels of each metric as its source names them. */
const labels = new Map(
  sources.flatMap((path) =>
    read(path)
      .split(/(?=name: 'kubeocean_)/)
      .flatMap((text) => {
        const [, name] = /^name: '(kubeocean_\w+)'/.exec(text) ?? [];
        // Up to the end of this metric: the next one's labels are not its own.
        const [, names = ''] = /labelNames: \[([^\]]*)\]/.exec(text.split('\n  }')[0] ?? '') ?? [];
        return name === undefined ? [] : [[name, names.match(/\w+/g) ?? []] as const];
      }),
  ),
);

test('docs/monitoring.md names the labels that metrics have', () => {
  const named = [...read('docs/monitoring.md').matchAll(/\b(kubeocean_\w+)\{([^}]*)\}/g)].flatMap(
    ([, metric = '', text = '']) =>
      (text.replaceAll(/"[^"]*"/g, '').match(/\w+/g) ?? []).map((label) => ({ metric, label })),
  );
  expect(named.length).toBeGreaterThan(20);
  // That of the pod, by relabelling.
  const ofPods = ['binding'];
  const wrong = named.filter(({ metric, label }) => ![...ofPods, ...(labels.get(metric) ?? [])].includes(label));
  expect(wrong).toEqual([]);
});
