/** The storage classes of the chart `kubeocean`: what is made of each value, and what is refused. No cluster is needed. */
import { expect, it } from 'vitest';
import { helmTemplate } from './harness/index.ts';

/** What helm says of these classes. */
function template(storageClasses: unknown): ReturnType<typeof helmTemplate> {
  return helmTemplate('kubeocean', { values: { storageClasses }, anyExit: true });
}

const good = { name: 'fast', workerStorageClass: 'ssd' };

it('makes one class of each, for vnodes alone', async () => {
  // Names that YAML would take for something else than a text.
  const classes = [
    good,
    {
      name: 'true',
      workerStorageClass: '1e3',
      topology: 'zone',
      reclaimPolicy: 'Retain',
      allowVolumeExpansion: true,
      default: true,
      bindings: ['a', 'b'],
    },
  ];
  const { status, stdout, stderr } = await template(classes);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const [fast = '', second = '', ...more] = stdout
    .split(/^---$/m)
    .filter((document) => /^kind: StorageClass$/m.test(document));
  expect(more).toEqual([]);
  expect(fast).toMatch(/name: "fast"[^]*workerStorageClass: "ssd"\n {2}topology: node\nreclaimPolicy: Delete/);
  expect(fast).toMatch(/allowVolumeExpansion: false[^]*WaitForFirstConsumer/);
  expect(fast).not.toContain('is-default-class');
  expect(second).toMatch(/name: "true"[^]*is-default-class: "true"[^]*workerStorageClass: "1e3"\n {2}topology: zone/);
  expect(second).toMatch(/reclaimPolicy: Retain\nallowVolumeExpansion: true[^]*cluster-binding, values: \["a","b"\]/);
});

it.each<[string, unknown, RegExp]>([
  ['a class without a name', [{ workerStorageClass: 'ssd' }], /'\/storageClasses\/0': missing property 'name'/],
  ['one that names no class of the worker', [{ name: 'fast' }], /missing property 'workerStorageClass'/],
  ['a misspelt field', [{ ...good, reclaim: 'Delete' }], /additional properties 'reclaim' not allowed/],
  ['an unknown topology', [{ ...good, topology: 'rack' }], /topology': value must be one of 'node', 'zone', 'worker'/],
  ['an unknown policy', [{ ...good, reclaimPolicy: 'Recycle' }], /reclaimPolicy': value must be one of 'Delete'/],
  ['a name that Kubernetes refuses', [{ ...good, name: 'Fast_1' }], /name': 'Fast_1' does not match pattern/],
  ['a name that is too long', [{ ...good, name: 'a'.repeat(254) }], /name': maxLength: got 254, want 253/],
  ['a class of the worker that Kubernetes refuses', [{ ...good, workerStorageClass: '' }], /does not match pattern/],
  ['a word for a switch', [{ ...good, default: 'yes' }], /default': got string, want boolean/],
  ['one binding for a list', [{ ...good, bindings: 'a' }], /bindings': got string, want array/],
  ['a binding without a name', [{ ...good, bindings: [''] }], /minLength: got 0, want 1/],
  ['a class for a list', good, /storageClasses': got object, want array/],
  ['two of one name', [good, good], /storageClasses: there are two of the name fast/],
  [
    'two defaults',
    [
      { ...good, default: true },
      { ...good, name: 'slow', default: true },
    ],
    /fast and slow cannot both be the default/,
  ],
])('refuses %s', async (_, classes, message) => {
  const { status, stderr } = await template(classes);
  expect(stderr).toMatch(message);
  expect(status).not.toBe(0);
});
