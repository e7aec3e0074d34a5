/**
 * Many sessions at once, and logs that are read the moment there is a line: what is there arrives, each time. Through the
 * API server, over WebSocket, as Kubernetes' own conformance tests do it.
 */
import { Pods } from '@kubeocean/shared/kube';
import { beforeAll, expect, test } from 'vitest';
import { exec, readLogByWebSocket } from './figures/session.ts';
import { type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { openSessions } from './proxier/objects.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

let rig: Rig;
let proxier: RunningProcess;

const LINE = 'container is alive\n';

/** A container that writes one line and stays. */
function talker(): Record<string, unknown> {
  const command = ['/bin/sh', '-c', `echo ${LINE.trim()}; sleep 10000`];
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: 'busybox:1.35', imagePullPolicy: 'IfNotPresent', command }],
  };
}

beforeAll(async () => {
  rig = await makeRig('many', { vnodes: 1 });
  const spec = talker();
  await rig.makePod('web', { spec });
  proxier = await rig.serve();
  await rig.running('web');
});

test('of 40 commands at once each one’s output and end arrive', async () => {
  const web = { client: rig.home, namespace: rig.id, name: 'web' };
  const done = await Promise.all(
    Array.from({ length: 40 }, () => exec(web, ['echo', 'here']).catch((error: Error) => error)),
  );
  const bad = done.filter((one) => one instanceof Error || !one.succeeded || one.bytes !== 5);
  expect(bad).toEqual([]);
  await waitFor('no session to be open', async () => (await openSessions(proxier)) === 0, { timeoutMs: 60_000 });
}, 300_000);

test('of 30 new pods each one’s line is there as soon as its kubelet has it', async () => {
  const names = Array.from({ length: 30 }, () => uniqueName('talker'));
  let next = 0;
  const told: string[] = [];
  const one = async (name: string) => {
    await rig.makePod(name, { spec: talker() });
    const path = `/api/v1/namespaces/${rig.mount}/pods/${rig.workerNameOf(name)}/log`;
    await waitFor(
      `a line of ${name}`,
      async () => {
        const answer = await rig.worker.transport.stream({ method: 'GET', path, headers: { accept: '*/*' } });
        let text = '';
        for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
        return text === LINE;
      },
      { timeoutMs: 120_000, everyMs: 20 },
    );
    told.push(await readLogByWebSocket({ client: rig.home, namespace: rig.id, name }));
    await Promise.all([
      rig.home.delete(Pods, rig.id, name, { gracePeriodSeconds: 0 }),
      rig.worker.delete(Pods, rig.mount, rig.workerNameOf(name), { gracePeriodSeconds: 0 }),
    ]);
  };
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let name = names[next++]; name; name = names[next++]) await one(name);
    }),
  );
  expect(told).toEqual(names.map(() => LINE));
}, 300_000);
