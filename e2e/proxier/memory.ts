/** What a process of ours holds in memory once its garbage is collected: asked over the inspector it was started with. */
import type { RunningProcess } from '../harness/index.ts';
import { waitFor } from '../harness/index.ts';
import { nodeFlags } from '../../scripts/bundle.ts';

/** Environment of a process that is to be asked: started as the images start it, and with an inspector. */
export const INSPECTED = {
  // Not all that a command line may say may stand in the environment.
  NODE_OPTIONS: [
    '--inspect=127.0.0.1:0',
    ...nodeFlags.filter((flag) => process.allowedNodeEnvironmentFlags.has(flag)),
  ].join(' '),
};

export interface Held {
  /** Sockets that something still refers to, closed ones among them: what a forgotten session would keep. */
  sockets: number;
  /** MiB of objects that are still reachable, and of the buffers they hold. */
  live: number;
  /** MiB of resident memory that is not V8's: TLS, sockets, malloc, the program itself. */
  native: number;
  resident: number;
}

/** Talks to an inspector. https://chromedevtools.github.io/devtools-protocol/v8/ */
async function attach(url: string) {
  const socket = new WebSocket(url);
  const answers = new Map<number, (result: unknown) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) answers.get(id)?.(result);
  });
  await new Promise((opened, failed) => {
    socket.addEventListener('open', opened);
    socket.addEventListener('error', () => failed(new Error(`no inspector at ${url}`)));
  });
  return {
    call<T>(method: string, params: object = {}): Promise<T> {
      const id = answers.size + 1;
      const { promise, resolve } = Promise.withResolvers<unknown>();
      answers.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
      return promise as Promise<T>;
    },
    close: () => socket.close(),
  };
}

interface Evaluated {
  result: { value?: string; objectId?: string };
}

/** @throws Error when the process was not started with {@link INSPECTED}. */
export async function heldBy(child: RunningProcess): Promise<Held> {
  const url = await waitFor(
    'the address of the inspector',
    () => /Debugger listening on (ws:\S+)/.exec(child.tail(20_000))?.[1],
  );
  const inspector = await attach(url);
  const call = <T>(method: string, params?: object) => inspector.call<T>(method, params);
  try {
    await call('HeapProfiler.enable');
    // What the first frees may set free more.
    for (let i = 0; i < 3; i++) await call('HeapProfiler.collectGarbage');
    const memory = 'JSON.stringify(process.memoryUsage())';
    const { result } = await call<Evaluated>('Runtime.evaluate', { expression: memory });
    const { rss, heapTotal, heapUsed, external } = JSON.parse(result.value as string) as NodeJS.MemoryUsage;
    const expression = "process.getBuiltinModule('node:net').Socket.prototype";
    const prototype = await call<Evaluated>('Runtime.evaluate', { expression });
    const { objects } = await call<{ objects: { objectId: string } }>('Runtime.queryObjects', {
      prototypeObjectId: prototype.result.objectId,
      objectGroup: 'sockets',
    });
    const counted = await call<Evaluated>('Runtime.callFunctionOn', {
      objectId: objects.objectId,
      functionDeclaration: 'function () { return String(this.length); }',
    });
    await call('Runtime.releaseObjectGroup', { objectGroup: 'sockets' });
    const mib = (bytes: number) => Math.round(bytes / 1024 / 102.4) / 10;
    return {
      sockets: Number(counted.result.value),
      live: mib(heapUsed + external),
      native: mib(rss - heapTotal),
      resident: mib(rss),
    };
  } finally {
    inspector.close();
  }
}
