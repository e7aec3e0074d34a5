import { OptionError, parseOptions } from '@kubeocean/shared/daemon';
import { expect, test } from 'vitest';
import { AGENT_OPTIONS } from './options.ts';

const agent = (flag: string) => () => parseOptions(AGENT_OPTIONS, [flag]);

test.each<[string, string | RegExp]>([
  [
    '--time-zone=Mars/Base',
    '--time-zone takes the IANA name of a time zone that is known here, such as Asia/Shanghai, not "Mars/Base"',
  ],
  ['--time-zone=', /^--time-zone must not be empty/],
  ['--computing-cidrs=10.0.0.0/99', /^--computing-cidrs takes ranges of addresses .* not "10\.0\.0\.0\/99"$/],
  ['--computing-cidrs=10.0.0.0/8,fd00::/129', /^--computing-cidrs takes ranges/],
  ['--computing-cidrs=10.0.0.300/8', /^--computing-cidrs takes ranges/],
  ['--computing-cidrs=10.0.0.0/8,,10.1.0.0/16', /^--computing-cidrs takes ranges/],
  ['--stats-bind-address=', /^--stats-bind-address must not be empty/],
  ['--stats-bind-address=10.0.0.300:1', /^--stats-bind-address takes an address such as :10260/],
  ['--tenants-file=', /^--tenants-file must not be empty/],
])('an agent refuses %s', (flag, message) => {
  expect(agent(flag)).toThrow(OptionError);
  expect(agent(flag)).toThrow(message);
});

test.each([
  '--time-zone=Asia/Shanghai',
  '--time-zone=UTC',
  '--computing-cidrs=',
  '--computing-cidrs=10.20.0.0/16,fd00:20::/48',
  '--stats-bind-address=:0',
])('an agent takes %s', (flag) => expect(agent(flag)).not.toThrow());
