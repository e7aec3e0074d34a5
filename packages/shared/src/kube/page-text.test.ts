import fc from 'fast-check';
import { expect, test } from 'vitest';
import { continueIn, pageWithoutManagedFields } from './page-text.ts';

const page = (metadata: object, items: object[] = []) =>
  JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items });

test.each([
  ['of a page with more after it', page({ resourceVersion: '7', continue: 'abc', remainingItemCount: 3 }), 'abc'],
  ['of the last page', page({ resourceVersion: '7' }), undefined],
  ['that is empty', page({ resourceVersion: '7', continue: '' }), undefined],
  [
    "of a custom resource's list, whose keys are sorted",
    '{"apiVersion":"v1","items":[{}],"kind":"XList","metadata":{"continue":"abc"}}',
    undefined,
  ],
  ['of an item', page({ resourceVersion: '7' }, [{ metadata: { continue: 'abc' } }]), undefined],
  ['of something that is not JSON', '{"kind":"PodList","apiVersion":"v1","metadata":{continue},"items":[', undefined],
  ['of nothing', '', undefined],
])('the continue token %s', (_, text, token) => {
  expect(continueIn(text)).toBe(token);
});

/** In the order in which the API server writes pods, with texts that somebody chose to mislead us. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(',"managedFields":[', ']},"spec":', '"}],"managedFields":[{}]},"spec":{', '\\', '\\"]},"spec":'),
);
const pod = fc
  .record({
    name: text,
    labels: fc.dictionary(text, text),
    fields: fc.option(fc.dictionary(text, fc.constant({})), { nil: undefined }),
    image: text,
  })
  .map(({ name, labels, fields, image }) => ({
    metadata: {
      name,
      labels,
      ...(fields && { managedFields: [{ manager: name, fieldsV1: { 'f:spec': fields } }, { manager: image }] }),
    },
    spec: { containers: [{ image }], volumes: [] },
    status: { conditions: [{ type: name }] },
  }));

test('a page without managedFields says everything else', () => {
  fc.assert(
    fc.property(fc.array(pod), (items) => {
      const without = items.map(({ metadata: { name, labels }, ...rest }) => ({ metadata: { name, labels }, ...rest }));
      expect(JSON.parse(pageWithoutManagedFields(page({ resourceVersion: '7' }, items)))).toEqual(
        JSON.parse(page({ resourceVersion: '7' }, without)),
      );
    }),
  );
});

test.each([
  ['has no spec', { metadata: { name: 'a', managedFields: [{ manager: 'x' }] } }],
  [
    'has more in its metadata after them',
    { metadata: { name: 'a', managedFields: [{ manager: 'x' }], later: 1 }, spec: {} },
  ],
])('an object that %s does not take the next one along', (_, odd) => {
  for (const metadata of [
    { name: 'b', ownerReferences: [{ uid: 'u' }] },
    { name: 'b', managedFields: [{}] },
  ]) {
    const items = [odd, { metadata, spec: { x: 1 } }];
    expect(JSON.parse(pageWithoutManagedFields(page({ resourceVersion: '7' }, items)))).toMatchObject({ items });
  }
});

test('a page that is torn stays as it is from there on', () => {
  expect(pageWithoutManagedFields('{"items":[{"metadata":{"name":"a","managedFields":[{')).toBe(
    '{"items":[{"metadata":{"name":"a","managedFields":[{',
  );
});
