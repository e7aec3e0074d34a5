/**
 * The table of a pod's fields (packages/syncer/src/pods/fields.ts, docs/pod-fields.md) against the API server's own list: a
 * field that a new Kubernetes brings has to be thought about.
 */
import { expect, test } from 'vitest';
import { FIELD_TABLES, NEWER } from '../packages/syncer/src/pods/fields.ts';
import { kubectl } from './harness/index.ts';

interface OpenAPI {
  components: { schemas: Record<string, { properties: Record<string, unknown> }> };
}

test('every field that the API server knows is in the table, and no other', async () => {
  const { stdout } = await kubectl('computing', ['get', '--raw', '/openapi/v3/api/v1']);
  const { schemas } = (JSON.parse(stdout) as OpenAPI).components;
  for (const [kind, table] of Object.entries(FIELD_TABLES)) {
    const served = Object.keys(schemas[`io.k8s.api.core.v1.${kind}`]?.properties ?? {});
    const known = Object.keys(table).filter(
      (field) => !(kind === 'Container' && field === 'targetContainerName') && NEWER[kind]?.includes(field) !== true,
    );
    expect(served.toSorted(), kind).toEqual(known.toSorted());
  }
});
