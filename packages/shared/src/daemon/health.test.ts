import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Counter, Registry } from 'prom-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startHealthServers } from './health.ts';

async function ask(port: number, path: string): Promise<{ status: number; text: string; type: string | null }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
}

const local = { healthAddress: '127.0.0.1:0', metricsAddress: '127.0.0.1:0' };

test('live at once, ready when no part has a reason against it', async () => {
  const reasons: Record<string, string | undefined> = { caches: 'pods are still being listed', agent: 'not seen' };
  const servers = await startHealthServers({
    ...local,
    registry: new Registry(),
    ready: { caches: () => reasons['caches'], agent: () => reasons['agent'] },
  });
  try {
    expect(await ask(servers.healthPort, '/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await ask(servers.healthPort, '/livez')).toMatchObject({ status: 200 });
    expect(await ask(servers.healthPort, '/readyz')).toMatchObject({
      status: 503,
      text: 'caches: pods are still being listed\nagent: not seen\n',
    });
    reasons['agent'] = undefined;
    expect((await ask(servers.healthPort, '/readyz')).text).toBe('caches: pods are still being listed\n');
    reasons['caches'] = undefined;
    expect(await ask(servers.healthPort, '/readyz?verbose')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await ask(servers.healthPort, '/')).toMatchObject({ status: 404 });
  } finally {
    await servers.close();
  }
});

test('started once it has been ready, whatever comes after', async () => {
  let reason: string | undefined = 'pods are still being listed';
  const servers = await startHealthServers({ ...local, registry: new Registry(), ready: { caches: () => reason } });
  try {
    expect(await ask(servers.healthPort, '/startz')).toMatchObject({ status: 503, text: `caches: ${reason}\n` });
    reason = undefined;
    expect(await ask(servers.healthPort, '/startz')).toMatchObject({ status: 200, text: 'ok\n' });
    reason = 'the worker does not answer';
    expect(await ask(servers.healthPort, '/startz')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await ask(servers.healthPort, '/readyz')).toMatchObject({ status: 503 });
  } finally {
    await servers.close();
  }
});

test('what waits for something after its time to start has started all the same', async () => {
  const ready = { worker: () => 'does not answer' };
  const servers = await startHealthServers({ ...local, registry: new Registry(), ready, startingMs: 1500 });
  try {
    expect(await ask(servers.healthPort, '/startz')).toMatchObject({ status: 503, text: 'worker: does not answer\n' });
    await vi.waitFor(
      async () => expect(await ask(servers.healthPort, '/startz')).toMatchObject({ status: 200 }),
      10_000,
    );
  } finally {
    await servers.close();
  }
});

test('what has yet to listen on its other address cannot be asked whether it is ready', async () => {
  const taken = await Promise.all(
    ['health', 'metrics'].map(async () => {
      const server = createServer();
      onTestFinished(() => void server.close());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const [healthAddress = '', metricsAddress = ''] = taken;
  const starting = startHealthServers({ healthAddress, metricsAddress, registry: new Registry(), ready: {} });
  await expect(starting).rejects.toThrow(`cannot listen on ${metricsAddress}`);
});

test('metrics are served in the registry’s own format, and nothing else is', async () => {
  const registry = new Registry();
  new Counter({ name: 'things_total', help: 'things', registers: [registry] }).inc(3);
  const servers = await startHealthServers({ ...local, registry, ready: {} });
  try {
    const answer = await ask(servers.metricsPort, '/metrics');
    expect(answer.status).toBe(200);
    expect(answer.type).toContain('text/plain');
    expect(answer.text).toContain('things_total 3');
    expect((await ask(servers.metricsPort, '/debug')).status).toBe(404);
  } finally {
    await servers.close();
  }
});

test('whoever connects and says nothing takes no more than the places of scrapers, and none from kubelets', async () => {
  const servers = await startHealthServers({ ...local, registry: new Registry(), ready: {} });
  const sockets: Socket[] = [];
  try {
    let refused = 0;
    for (let n = 0; n < 70; n++) {
      const socket = connect(servers.metricsPort, '127.0.0.1').on('error', () => undefined);
      // Who is sent away for silence is told so.
      sockets.push(socket.resume().on('close', () => socket.bytesRead === 0 && refused++));
      sockets.push(connect(servers.healthPort, '127.0.0.1').on('error', () => undefined));
    }
    await vi.waitFor(() => expect(refused).toBeGreaterThanOrEqual(6), { timeout: 20_000, interval: 5 });
    expect(await ask(servers.healthPort, '/healthz')).toMatchObject({ status: 200 });
  } finally {
    for (const socket of sockets) socket.destroy();
    await servers.close();
  }
});

test('an address in use is an error that names it, and leaves nothing open', async () => {
  const first = await startHealthServers({ ...local, registry: new Registry(), ready: {} });
  try {
    const taken = `127.0.0.1:${first.healthPort}`;
    await expect(
      startHealthServers({ ...local, healthAddress: taken, registry: new Registry(), ready: {} }),
    ).rejects.toThrow(`cannot listen on ${taken}`);
  } finally {
    await first.close();
  }
  await expect(ask(first.healthPort, '/healthz')).rejects.toThrow();
});
