import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { ConnectionError, Transport } from '@kubeocean/shared/kube';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { askForLife, createWorkerWatch } from './worker-watch.ts';

describe('a watch over the worker', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function make() {
    const state = { answers: true, asked: 0 };
    const gone: string[] = [];
    const { watch } = createWorkerWatch({
      ask: () => {
        state.asked++;
        return state.answers ? Promise.resolve() : Promise.reject(new Error('silence'));
      },
    });
    return { state, gone, watch: (name: string) => watch((reason) => gone.push(`${name}: ${reason}`)) };
  }

  it('asks nothing while sessions hear something, nor when there are none', async () => {
    const { state, watch } = make();
    const session = watch('a');
    for (let i = 0; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(5_000);
      session.heard();
    }
    expect(state.asked).toBe(0);
    session.stop();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(state.asked).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets silent sessions live for ever while the worker answers', async () => {
    const { state, gone, watch } = make();
    watch('a');
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(state.asked).toBe(360);
    expect(gone).toEqual([]);
  });

  it('ends in time those that hear nothing from a worker that does not answer, and only those', async () => {
    const { state, gone, watch } = make();
    watch('old');
    await vi.advanceTimersByTimeAsync(60_000);
    state.answers = false;
    const spared = watch('another way');
    watch('silent from the start');
    for (let i = 0; i < 12; i++) {
      await vi.advanceTimersByTimeAsync(5_000);
      spared.heard();
    }
    expect(gone.map((text) => text.replace(/\d+/, 'N'))).toEqual([
      'old: worker has not answered for N s',
      'silent from the start: worker has not answered for N s',
    ]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(gone).toHaveLength(3);
  });

  it('ends nothing because the process stood still, and one question after it or in it failed', async () => {
    const { state, gone, watch } = make();
    watch('a');
    const now = performance.now.bind(performance);
    let stoodMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + stoodMs);
    onTestFinished(() => void vi.restoreAllMocks());
    await vi.advanceTimersByTimeAsync(60_000);
    stoodMs = 600_000;
    state.answers = false;
    await vi.advanceTimersByTimeAsync(10_000);
    state.answers = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([state.asked, gone]).toEqual([13, []]);
  });

  it('counts from anew after an answer, and after a time in which nobody asked', async () => {
    const { state, gone, watch } = make();
    const session = watch('a');
    for (let i = 0; i < 10; i++) {
      state.answers = false;
      await vi.advanceTimersByTimeAsync(30_000);
      state.answers = true;
      await vi.advanceTimersByTimeAsync(10_000);
    }
    state.answers = false;
    await vi.advanceTimersByTimeAsync(30_000);
    session.stop();
    await vi.advanceTimersByTimeAsync(30_000);
    watch('b');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(gone).toEqual([]);
  });
});

describe('asking for life', () => {
  async function serverThat(act: (socket: Socket) => void): Promise<Transport> {
    const server = createServer((socket) => act(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const access = { server: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
    const transport = new Transport({ current: () => access, refresh: () => access });
    onTestFinished(() => transport.close());
    return transport;
  }

  it('takes silence for none, and so a connection that ends before TLS begins', async () => {
    await expect(askForLife(await serverThat(() => undefined), 50)).rejects.toThrow('no answer in time');
    await expect(askForLife(await serverThat((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')))).rejects.toThrow();
  });

  it.each(['EAI_AGAIN', 'EMFILE'])('does not take %s, which keeps us from asking, for silence', async (code) => {
    const stream = () => Promise.reject(new ConnectionError('https://worker', code, 'cannot ask'));
    await askForLife({ stream } as unknown as Transport);
    const silent = () => Promise.reject(new ConnectionError('https://worker', 'EHOSTUNREACH', 'no way there'));
    await expect(askForLife({ stream: silent } as unknown as Transport)).rejects.toThrow('no way there');
  });

  it('takes a port that nobody listens on for an answer', async () => {
    const access = { server: 'https://127.0.0.1:1' };
    await askForLife(new Transport({ current: () => access, refresh: () => access }));
  });
});
