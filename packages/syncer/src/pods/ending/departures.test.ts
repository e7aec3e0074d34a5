import { expect, test } from 'vitest';
import { askedToGo, Departures } from './departures.ts';
import { samplePod } from '../samples.ts';
import { THEN } from '../status/to-home-fixtures.ts';
import type { Pod } from '../types.ts';

const running = (spec: object = {}, metadata: object = {}): Pod => ({
  ...samplePod({ terminationGracePeriodSeconds: 30, ...spec }, { ...metadata }),
  status: { phase: 'Running' },
});
const marked = running({}, { deletionTimestamp: THEN });

test.each<[string, Pod, Pod | undefined, boolean]>([
  ['its deletion was known before', marked, undefined, true],
  ['the event of its deletion says so', running(), marked, true],
  ['it had finished', running(), { ...running(), status: { phase: 'Succeeded' } }, true],
  ['it has no grace', running({}), running({ terminationGracePeriodSeconds: 0 }), true],
  ['it vanished on a watch, without a mark', running(), running(), false],
  ['a list lacks it', running(), undefined, false],
  ['a list lacks it, though it had finished', { ...running(), status: { phase: 'Failed' } }, undefined, false],
  ['a list lacks it, though it has no grace', running({ terminationGracePeriodSeconds: 0 }), undefined, false],
])('%s', (_, previous, deleted, expected) => {
  expect(askedToGo(previous, deleted)).toBe(expected);
});

test('is remembered by UID until there is no worker pod of the name', () => {
  const departures = new Departures();
  departures.gone('shop/web', running({}, { uid: 'first' }), marked);
  departures.gone('shop/web', running({}, { uid: 'second' }), marked);
  departures.gone('shop/web', running({}, { uid: 'vanished' }), undefined);
  const asked = () => ['first', 'second', 'vanished'].filter((uid) => departures.wasAsked('shop/web', uid));
  expect(asked()).toEqual(['first', 'second']);
  expect(departures.wasAsked('shop/other', 'first')).toBe(false);
  departures.forget('shop/web');
  expect(asked()).toEqual([]);
});

test('each pod that waits is told once', () => {
  const departures = new Departures();
  const waits = ['a', 'a', 'b', 'b'].map((uid) => departures.isFirstToWait('shop/web', uid));
  expect(waits).toEqual([true, false, true, false]);
});
