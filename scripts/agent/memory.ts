/**
 * An API server as far as the agent's stores ask one, in this process: lists and watches told from memory, as text that is
 * parsed as a real one's is. So what the agent does with it can be measured alone.
 */
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { KubeClient, type KubeObject, pathOf, type Resource, type Transport } from '@kubeocean/shared/kube';

export type Told = [type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject];

/** Bytes that arrive at once, as TLS gives them. */
const CHUNK = 16_384;

export class ServerInMemory {
  readonly client: KubeClient;
  private readonly watches = new Map<string, PassThrough>();
  private revision = 1;

  constructor() {
    const transport = {
      text: () => Promise.resolve(JSON.stringify({ metadata: { resourceVersion: String(this.revision) }, items: [] })),
      stream: ({ path }: { path: string }) => {
        const watch = Object.assign(new PassThrough(), { headers: {}, socket: { setTimeout: () => undefined } });
        this.watches.set(path, watch);
        return Promise.resolve(watch);
      },
    };
    this.client = new KubeClient(transport as unknown as Transport);
  }

  /** The text of a watch's events; each object gets a new revision. */
  textOf(events: readonly Told[]): Buffer {
    const lines = events.map(([type, { apiVersion, kind, metadata, ...rest }]) => {
      metadata.resourceVersion = String(++this.revision);
      return `${JSON.stringify({ type, object: { kind, apiVersion, metadata, ...rest } })}\n`;
    });
    return Buffer.from(lines.join(''));
  }

  /** Says it to whoever watches the kind (in one namespace, or in all). */
  async say(resource: Resource, namespace: string | undefined, text: Buffer): Promise<void> {
    const path = pathOf(resource, namespace);
    for (let watch = this.watches.get(path); ; watch = this.watches.get(path)) {
      if (watch) {
        for (let from = 0; from < text.length; from += CHUNK) watch.write(text.subarray(from, from + CHUNK));
        return;
      }
      await turn();
    }
  }

  /** Waits until it was heard. */
  async heard(resource: Resource, namespace: string | undefined): Promise<void> {
    const watch = this.watches.get(pathOf(resource, namespace));
    while (watch && watch.readableLength + watch.writableLength > 0) await turn();
    // What was read last is taken in the turn that follows.
    for (let turns = 0; turns < 5; turns++) await turn();
  }
}
