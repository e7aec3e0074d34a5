import { createLogger, Registry } from '@kubeocean/shared/daemon';
import { expect, it } from 'vitest';
import { Refusal } from '../errors.ts';
import { createTellRefusal } from './refusals-told.ts';

it('what is refused over and over is told from time to time; who was refused which right, each by itself; all are counted', async () => {
  const lines: { code: number; why: string; path: string; untold?: number }[] = [];
  let now = 0;
  const log = createLogger('test', 'warn', { write: (line) => void lines.push(JSON.parse(line)) });
  const registry = new Registry();
  const tell = createTellRefusal(log, registry, () => now);
  const refuse = (code: number, why: string, url = '/exec/ns/pod/main?command=secret') =>
    tell(new Refusal(code, why), { method: 'GET', url });
  for (let at = 0; at < 100; at++) {
    refuse(401, 'Unauthorized');
    refuse(503, `no metrics: the kubelet of node n${at} …`, '/metrics/resource');
    refuse(404, 'pod does not exist');
  }
  refuse(403, 'Forbidden (user=a)');
  refuse(403, 'Forbidden (user=b)');
  refuse(429, 'all sessions open');
  now = 10_000;
  refuse(401, 'Unauthorized');
  expect(lines.map(({ code, why, untold }) => [code, why, untold])).toEqual([
    [401, 'Unauthorized', undefined],
    [503, 'no metrics: the kubelet of node n0 …', undefined],
    [403, 'Forbidden (user=a)', undefined],
    [403, 'Forbidden (user=b)', undefined],
    [429, 'all sessions open', undefined],
    [401, 'Unauthorized', 99],
  ]);
  expect(lines[0]?.path).toBe('/exec/ns/pod/main');
  const counts = (await registry.metrics()).match(/(?<=code=")\d+"\} \d+/g);
  expect(counts).toEqual(['401"} 101', '503"} 100', '404"} 100', '403"} 2', '429"} 1']);
});
