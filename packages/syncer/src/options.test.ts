import { OptionError, parseOptions } from '@kubeocean/shared/daemon';
import { expect, test } from 'vitest';
import { SYNCER_OPTIONS } from './options.ts';

const syncer = (flag: string) => () => parseOptions(SYNCER_OPTIONS, ['--cluster-binding-name=b', flag]);

test.each<[string, string | RegExp]>([
  ['--cluster-dns=face', '--cluster-dns takes IP addresses separated by commas, not "face"'],
  ['--cluster-dns=10.0.0.300', /^--cluster-dns takes IP addresses/],
  ['--cluster-dns=:', /^--cluster-dns takes IP addresses/],
  ['--kubernetes-service-port=0', '--kubernetes-service-port takes a port from 1 to 65535, not "0"'],
  ['--kubernetes-service-port=99999', '--kubernetes-service-port takes a port from 1 to 65535, not "99999"'],
  ['--cluster-domain=', /^--cluster-domain must not be empty/],
  ['--cluster-domain=a b', '--cluster-domain takes a DNS domain such as cluster.local, not "a b"'],
  ['--sweep-interval=2592001', '--sweep-interval takes a whole number from 0 to 2592000 (seconds), not "2592001"'],
  ['--worker-schedule-timeout=31536001', /^--worker-schedule-timeout takes a whole number from 0 to 31536000/],
])('a syncer refuses %s', (flag, message) => {
  expect(syncer(flag)).toThrow(OptionError);
  expect(syncer(flag)).toThrow(message);
});

test.each([
  '--cluster-dns=',
  '--cluster-dns=10.0.0.10,fd00::a',
  '--kubernetes-service-port=',
  '--sweep-interval=2592000',
])('a syncer takes %s', (flag) => expect(syncer(flag)).not.toThrow());
