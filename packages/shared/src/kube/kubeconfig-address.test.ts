import { expect, test } from 'vitest';
import { isLocalAddress } from './kubeconfig.ts';

test.each([
  ['localhost', true],
  ['a.localhost', true],
  ['localhost.', true],
  ['127.8.9.10', true],
  ['0.0.0.0', true],
  ['169.254.169.254', true],
  ['[::1]', true],
  ['[::]', true],
  ['[fe80::1]', true],
  [new URL('https://[::ffff:127.0.0.1]').hostname, true],
  [new URL('https://[::ffff:169.254.169.254]').hostname, true],
  [new URL('https://2130706433').hostname, true],
  [new URL('https://0x7f.1').hostname, true],
  ['10.0.0.1', false],
  ['128.0.0.1', false],
  ['[2001:db8::1]', false],
  ['api.example.test', false],
  ['localhost.example.test', false],
])('%s means this host: %s', (hostname, local) => {
  expect(isLocalAddress(hostname)).toBe(local);
});
