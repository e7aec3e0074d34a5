import { expect, test } from 'vitest';
import { samplePod } from '../samples.ts';
import { homeStatus } from './to-home.ts';
import { NOW, running, workerOf } from './to-home-fixtures.ts';

/** What home shows of a pod that is said to be at these addresses. */
function shown(...ips: string[]) {
  const home = samplePod();
  const podIPs = ips.map((ip) => ({ ip }));
  const status = homeStatus(workerOf(home, { ...running, podIP: ips[0] ?? '', podIPs }), home, NOW);
  expect(status.hostIP).toBe(running.hostIP);
  return [status.podIP, status.podIPs];
}

test.each([
  '127.0.0.1',
  '127.9.8.7',
  '0.0.0.0',
  '169.254.169.254',
  '224.0.0.1',
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  'fe80::1',
  'ff02::1',
  '127.1',
  '010.0.0.1',
  'nonsense',
])('an address that no Service takes is not shown: %s', (ip) => {
  expect(shown(ip)).toEqual([undefined, undefined]);
  expect(shown('10.2.0.5', ip)).toEqual([undefined, undefined]);
});

test.each([['10.2.0.5'], ['192.168.1.1'], ['172.16.0.9'], ['203.0.113.7'], ['fd00::5'], ['2001:db8::1']])(
  'an address that pods have is shown: %s',
  (ip) => {
    expect(shown(ip)).toEqual([ip, [{ ip }]]);
  },
);

test('addresses of both families are shown', () => {
  expect(shown('10.2.0.5', 'fd00::5')).toEqual(['10.2.0.5', [{ ip: '10.2.0.5' }, { ip: 'fd00::5' }]]);
});
