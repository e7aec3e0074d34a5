/** docs/pod-fields.md, from the tables that packages/syncer holds its translation to. */
import { type FieldTable, FIELD_TABLES } from '../packages/syncer/src/pods/fields.ts';

const TITLES: [title: string, kind: keyof typeof FIELD_TABLES][] = [
  ['Pod spec', 'PodSpec'],
  ['Containers: init containers, sidecars and ephemeral ones too', 'Container'],
  ['Volumes', 'Volume'],
  ['Sources of a projected volume', 'VolumeProjection'],
  ['Sources of a variable (`valueFrom`)', 'EnvVarSource'],
  ['Pod status, from the worker to home', 'PodStatus'],
];

function rows(table: FieldTable): string[] {
  return Object.entries(table).map(([field, [fate, how, test]]) => {
    const shown = test === 'unit' ? 'packages/syncer unit tests' : `e2e/${test}.test.ts`;
    return `| \`${field}\` | ${fate} | ${how} | ${shown} |`;
  });
}

export function podFieldsDocument(): string {
  const sections = TITLES.map(([title, kind]) =>
    [`## ${title}`, '', '| field | | how, why | shown by |', '|---|---|---|---|', ...rows(FIELD_TABLES[kind])].join(
      '\n',
    ),
  );
  const head = `# Fields of a pod

Generated from \`packages/syncer/src/pods/fields.ts\` by \`npm run generate\`; do not edit. [pods.md](pods.md) tells the whole story.

*carried*: as it is. *translated*: as something that means the same in the worker. *home*: the computing cluster's own business, and
not in the worker pod. *refused*: the pod is not run, and says so. A field of Kubernetes newer than 1.34 is carried in a spec and
inside a container's status; a new source of volumes, projections or variables is refused, a new field of the pod's status left out.`;
  return `${[head, ...sections].join('\n\n')}\n`;
}
