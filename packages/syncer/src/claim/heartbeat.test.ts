import { Annotation } from '@kubeocean/shared/api';
import { expect, test } from 'vitest';
import { carriedPrefixes } from './heartbeat.ts';

const lease = (prefixes?: string) => ({
  metadata: {
    name: 'kubeocean-agent',
    ...(prefixes !== undefined && { annotations: { [Annotation.metadataPrefixes]: prefixes } }),
  },
});

test.each<[string | undefined, string[]]>([
  [undefined, []],
  ['', []],
  ['team.example.com/', ['team.example.com/']],
  ['team.example.com/,app', ['team.example.com/', 'app']],
  // An empty beginning would carry everything.
  [',,app,', ['app']],
  ['a b,-x,{}', []],
])('%j → %j', (text, prefixes) => expect(carriedPrefixes(lease(text))).toEqual(prefixes));

test('no heartbeat, nothing carried', () => expect(carriedPrefixes(undefined)).toEqual([]));
