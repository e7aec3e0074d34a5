import { parseOptions } from '@kubeocean/shared/daemon';
import { expect, test } from 'vitest';
import { OPTIONS } from './options.ts';

test.each([
  // Less than a beat of the heartbeat would call every agent silent.
  ['--agent-stale-after=11', '--agent-stale-after takes a whole number from 12 to 3600 (seconds), not "11"'],
  ['--agent-stale-after=soon', '--agent-stale-after takes a whole number from 12 to 3600 (seconds), not "soon"'],
  ['--cluster-dns=face', '--cluster-dns takes IP addresses parted by commas, not "face"'],
  ['--cluster-dns=10.0.0.300', '--cluster-dns takes IP addresses parted by commas, not "10.0.0.300"'],
  ['--cluster-dns=:', '--cluster-dns takes IP addresses parted by commas, not ":"'],
  ['--cluster-domain=a b', '--cluster-domain takes a DNS domain such as cluster.local, not "a b"'],
  ['--metrics-bind-address=', '--metrics-bind-address must not be empty: address of /metrics'],
  ['--abandon-after=0', '--abandon-after takes a whole number from 1 to 3600 (seconds), not "0"'],
])('refuses %s', (flag, message) => {
  expect(() => parseOptions(OPTIONS, [flag])).toThrow(message);
});
