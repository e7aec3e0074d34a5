import { describe, expect, test } from 'vitest';
import { droppedVolumes } from './dropped-volumes.ts';
import type { Pod, Volume } from '../types.ts';

function pod(volumes?: Volume[]): Pod {
  return { metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [], ...(volumes && { volumes }) } };
}

const image: Volume = { name: 'models', image: { reference: 'models:1' } };
const other: Volume = { name: 'data', emptyDir: {} };

describe('what an API server leaves out of a pod', () => {
  test.each<[string, Volume[] | undefined, Volume[] | undefined]>([
    ['no volumes', undefined, undefined],
    ['all volumes kept', [image, other], [image, other]],
    ['one more, of a webhook', [other], [other, { name: 'injected' }]],
  ])('nothing: %s', (_, asked, made) => {
    expect(droppedVolumes(pod(asked), pod(made))).toBeUndefined();
  });

  test.each<[string, Volume[], Volume[] | undefined]>([
    ['one', [image, other], [other]],
    ['all', [image], undefined],
  ])('is named: %s', (_, asked, made) => {
    expect(droppedVolumes(pod(asked), pod(made))).toContain('without its volume models: volumes of images need');
  });
});
