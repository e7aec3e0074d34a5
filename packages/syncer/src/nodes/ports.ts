/**
 * Which TCP port of the proxier serves which vnode. A port is kept once chosen (it is a label of the Node); a new one
 * is where a hash of the name points, or the next that is free, so that it comes out the same after a restart.
 */
import { Port } from '@kubeocean/shared/api';

const RANGE = Port.vnodeLast - Port.vnodeFirst + 1;

/** FNV-1a, 32 bits, of UTF-8 bytes. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

export interface PortBook {
  /**
   * The port of a vnode. `shown` is what its label says now: kept when it is a port of the range that no other has.
   * @throws Error when all ports are taken.
   */
  portOf(vnode: string, shown?: string): number;
  /** The vnode is gone. */
  release(vnode: string): void;
}

export function createPortBook(): PortBook {
  const byName = new Map<string, number>();
  const byPort = new Map<number, string>();

  function take(vnode: string, port: number): number {
    byName.set(vnode, port);
    byPort.set(port, vnode);
    return port;
  }

  return {
    portOf(vnode, shown) {
      const known = byName.get(vnode);
      if (known !== undefined) return known;
      const kept = Number(shown);
      if (Number.isInteger(kept) && kept >= Port.vnodeFirst && kept <= Port.vnodeLast && !byPort.has(kept)) {
        return take(vnode, kept);
      }
      const start = fnv1a(vnode) % RANGE;
      for (let i = 0; i < RANGE; i++) {
        const port = Port.vnodeFirst + ((start + i) % RANGE);
        if (!byPort.has(port)) return take(vnode, port);
      }
      throw new Error(`no port between ${Port.vnodeFirst} and ${Port.vnodeLast} is free for ${vnode}`);
    },
    release(vnode) {
      const port = byName.get(vnode);
      if (port === undefined) return;
      byName.delete(vnode);
      byPort.delete(port);
    },
  };
}
