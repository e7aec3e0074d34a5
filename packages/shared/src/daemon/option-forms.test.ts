import { expect, test } from 'vitest';
import { areIPs, DNS_DOMAIN, isBindAddress, isPort } from './option-forms.ts';
import { OptionError, parseOptions } from './options.ts';
import { PROXIER_OPTIONS } from './proxier-options.ts';

test.each([
  [':8080', true],
  [':0', true],
  ['127.0.0.1:0', true],
  ['localhost:8080', true],
  ['[::1]:8081', true],
  ['[::]:65535', true],
  ['', false],
  [':', false],
  ['8080', false],
  ['host:port', false],
  ['::1:80', false],
  [':70000', false],
  [':65536', false],
  ['10.0.0.300:80', false],
  ['10.0.0:80', false],
  ['[:::]:80', false],
  ['[127.0.0.1]:80', false],
  ['[]:80', false],
])('%j is an address to listen on: %s', (value, expected) => expect(isBindAddress(value)).toBe(expected));

test.each([
  ['10.0.0.10', true],
  ['10.0.0.10,fd00::a', true],
  ['face', false],
  ['10.0.0.300', false],
  [':', false],
  ['10.0.0.10,', false],
  ['fe80::1%eth0', false],
])('%j are IP addresses: %s', (value, expected) => expect(areIPs(value)).toBe(expected));

test.each([
  ['1', true],
  ['443', true],
  ['65535', true],
  ['0', false],
  ['65536', false],
  ['99999', false],
  ['4 3', false],
  ['-1', false],
])('%j is a port: %s', (value, expected) => expect(isPort(value)).toBe(expected));

test.each([
  ['cluster.local', true],
  ['a', true],
  ['a b', false],
  ['-a', false],
  ['a..b', false],
  ['a.', false],
])('%j is a DNS domain: %s', (value, expected) => expect(DNS_DOMAIN.test(value)).toBe(expected));

const proxier = (flag: string) => () => parseOptions(PROXIER_OPTIONS, ['--cluster-binding-name=b', flag]);

test.each([
  ['--listen-address=not-an-address', '--listen-address takes an IP address, not "not-an-address"'],
  ['--listen-address=10.0.0.300', '--listen-address takes an IP address, not "10.0.0.300"'],
  ['--metrics-bind-address=', '--metrics-bind-address must not be empty: address of /metrics'],
  ['--health-probe-bind-address=', '--health-probe-bind-address must not be empty: address of /healthz and /readyz'],
  ['--worker-kubeconfig=', /^--worker-kubeconfig must not be empty/],
])('a proxier refuses %s', (flag, message) => {
  expect(proxier(flag)).toThrow(OptionError);
  expect(proxier(flag)).toThrow(message);
});

test.each(['--listen-address=', '--listen-address=::', '--listen-address=10.0.0.1'])('a proxier takes %s', (flag) => {
  expect(proxier(flag)).not.toThrow();
});
