import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followFrames } from './frames.ts';

function spdy(stream: number, length: number, control = false): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(control ? 0x80030006 : stream, 0);
  header.writeUIntBE(length, 5, 3);
  return Buffer.concat([header, Buffer.alloc(length, 7)]);
}

function webSocket(channel: number, length: number, opcode = 0x82): Buffer {
  const size = length + 1;
  const header =
    size < 126
      ? Buffer.from([opcode, size])
      : size < 65536
        ? Buffer.from([opcode, 126, size >> 8, size & 255])
        : Buffer.concat([Buffer.from([opcode, 127, 0, 0, 0, 0]), Buffer.from(Uint32Array.of(size).buffer).reverse()]);
  return Buffer.concat([header, Buffer.from([channel]), Buffer.alloc(length, 7)]);
}

const spdyFrame = fc.record({ stream: fc.constantFrom(3, 5, 7), length: fc.nat(300), control: fc.boolean() });
const webSocketFrame = fc.record({
  channel: fc.constantFrom(0, 1, 2),
  length: fc.constantFrom(0, 1, 124, 125, 300, 70_000),
});
const cuts = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 40 });

function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield bytes.subarray(at, (at += size));
  }
}

describe('frames', () => {
  it('end where they end, however the bytes come', () => {
    const frames = fc.oneof(
      fc.array(spdyFrame, { maxLength: 8 }).map((list) => ({
        upgrade: 'SPDY/3.1',
        protocol: 'v4.channel.k8s.io',
        frames: list.map(({ stream, length, control }) => spdy(stream, length, control)),
        error: spdy(1, 5),
      })),
      fc.array(webSocketFrame, { maxLength: 8 }).map((list) => ({
        upgrade: 'websocket',
        protocol: 'v5.channel.k8s.io',
        frames: list.map(({ channel, length }) => webSocket(channel, length)),
        error: webSocket(3, 5),
      })),
    );
    fc.assert(
      fc.property(frames, cuts, ({ upgrade, protocol, frames: list, error }, sizes) => {
        const followed = followFrames(upgrade, protocol);
        for (const piece of pieces(Buffer.concat(list), sizes)) followed.take(piece);
        expect([followed.whole, followed.told]).toEqual([true, false]);
        followed.take(error.subarray(0, -1));
        expect([followed.whole, followed.told]).toEqual([false, true]);
        followed.take(error.subarray(-1));
        expect(followed.whole).toBe(true);
        // What we send ourselves is a frame as well.
        followed.take(followed.failure('x'.repeat(5000)));
        expect(followed.whole).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('that only keep the connection alive are told from others, byte for byte', () => {
    const ping = Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 7]);
    const masked = Buffer.from([0x89, 0x82, 1, 2, 3, 4, 5, 6]);
    for (const [upgrade, pings, data] of [
      ['SPDY/3.1', ping, spdy(5, 1)],
      ['websocket', Buffer.concat([masked, Buffer.from([0x8a, 0])]), webSocket(1, 1)],
    ] as const) {
      const followed = followFrames(upgrade, 'v4.channel.k8s.io');
      for (const byte of Buffer.concat([pings, pings])) {
        followed.take(Buffer.of(byte));
        expect(followed.active).toBe(false);
      }
      followed.take(Buffer.concat([pings, data, pings]));
      expect(followed.active).toBe(true);
      const seen = [...data].map((byte) => {
        followed.take(Buffer.of(byte));
        return followed.active;
      });
      expect(seen).toContain(true);
      followed.take(pings);
      expect(followed.active).toBe(false);
    }
  });

  it('of a WebSocket that greets in the error channel tell no end, nor does the rest of a message that begins like one', () => {
    for (const protocol of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
      const channel = protocol.includes('base64') ? 0x33 : 3;
      const followed = followFrames('websocket', protocol);
      followed.take(webSocket(channel, 0));
      followed.take(webSocket(1, 4, 0x02));
      followed.take(webSocket(channel, 4, 0x80));
      expect(followed.told).toBe(false);
      followed.take(webSocket(channel, 4));
      expect(followed.told).toBe(true);
    }
  });

  it('stop at the first end', () => {
    const followed = followFrames('SPDY/3.1', undefined);
    followed.take(spdy(5, 10).subarray(0, 12));
    expect(followed.take(Buffer.concat([spdy(5, 10).subarray(12), spdy(5, 3)]), true)).toBe(6);
    expect(followed.whole).toBe(true);
  });

  it('of a failure carry a Status from version 4 on, words before, and base64 where that was agreed on', () => {
    const status = { metadata: {}, status: 'Failure', message: 'gone', reason: 'InternalError', code: 500 };
    const content = (upgrade: string, protocol: string) => followFrames(upgrade, protocol).failure('gone');
    const v4 = content('SPDY/3.1', 'v4.channel.k8s.io');
    expect(v4.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 1, 1]));
    expect(JSON.parse(v4.subarray(8).toString())).toEqual(status);
    expect(content('SPDY/3.1', 'v2.channel.k8s.io').subarray(8).toString()).toBe('gone');
    expect(JSON.parse(content('websocket', 'v5.channel.k8s.io').subarray(5, -4).toString())).toEqual(status);
    expect(content('websocket', 'channel.k8s.io').subarray(4, -4).toString()).toBe('\u0003gone');
    expect(content('websocket', 'base64.channel.k8s.io').subarray(4, -4).toString()).toBe('3Z29uZQ==');
    const encoded = content('websocket', 'v4.base64.channel.k8s.io').subarray(5, -4).toString();
    expect(encoded).not.toContain('gone');
  });
});
