import { describe, expect, it } from 'vitest';
import { OPTIONS } from './options.ts';
import { parseWorkloads } from './settings.ts';

describe('parseWorkloads', () => {
  it('keeps defaults for what is left out', () => {
    const { syncer, proxier } = parseWorkloads('{"syncer":{"extraArgs":["--a=b"],"nodeSelector":null}}', 'w.json');
    expect(syncer).toMatchObject({
      extraArgs: ['--a=b'],
      nodeSelector: {},
      resources: { limits: { memory: '512Mi' } },
    });
    expect(proxier.extraArgs).toEqual([]);
  });

  it('takes what --help says that it takes', () => {
    for (const field of Object.keys(parseWorkloads('{}', 'w.json').syncer)) {
      expect(OPTIONS['workloads-file'].description).toContain(field);
    }
  });

  it.each([
    ['no JSON', '{', /w\.json is not JSON/],
    ['a list', '[]', /w\.json must be an object with syncer, proxier/],
    ['an unknown part', '{"syncr":{}}', /unknown field "syncr"/],
    ['an unknown field', '{"syncer":{"image":"x"}}', /w\.json: syncer has an unknown field "image"/],
    ['text for a list', '{"syncer":{"extraArgs":"--a"}}', /syncer\.extraArgs must be a list/],
    ['a number as label', '{"proxier":{"nodeSelector":{"a":1}}}', /proxier\.nodeSelector/],
    ['a number as priority class', '{"syncer":{"priorityClassName":1}}', /syncer\.priorityClassName must be a name/],
    ['no tolerations', '{"proxier":{"tolerations":["a"]}}', /proxier\.tolerations/],
    ['no resources', '{"proxier":{"resources":[]}}', /proxier\.resources/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseWorkloads(text, 'w.json')).toThrow(message);
  });
});
