import { describe, expect, it } from 'vitest';
import { isQuiet, settle } from './quiet.ts';
import type { Readings } from './writes.ts';

function readings(worker: Record<string, number>): Readings {
  return {
    computing: { writes: new Map([['POST pods', 7]]), started: 1 },
    worker: { writes: new Map(Object.entries(worker)), started: 1 },
  };
}

describe('quiet', () => {
  it.each([
    ['nothing', {}, true],
    ['Leases and Events', { 'PUT leases': 3, 'POST events': 1 }, true],
    ["nodes' signs of life", { 'PATCH nodes/status': 2 }, true],
    ['a copy that is removed late', { 'DELETE configmaps': 1 }, false],
    ['labels of a node', { 'PATCH nodes': 1 }, false],
  ])('is when %s is written: %j', (_, written, quiet) => expect(isQuiet(readings({}), readings(written))).toBe(quiet));
});

describe('waiting for it', () => {
  /** Readings one after the other, the last one for ever. */
  function reader(...writes: Record<string, number>[]): () => Promise<Readings> {
    return async () => readings((writes.length > 1 ? writes.shift() : writes[0]) ?? {});
  }

  it('counts what is removed late', async () => {
    const read = reader({}, { 'DELETE secrets': 1 }, { 'DELETE secrets': 2 });
    const { readings: last, quiet } = await settle(read, { quietMs: 0, mostMs: 60_000 });
    expect(quiet).toBe(true);
    expect(last.worker.writes.get('DELETE secrets')).toBe(2);
  });

  it('has an end, and says that it was never quiet', async () => {
    let count = 0;
    const read = async () => readings({ 'PATCH pods': ++count });
    expect(await settle(read, { quietMs: 1, mostMs: 0 })).toMatchObject({ quiet: false });
    expect(count).toBe(2);
  });

  it('ends with the bench', async () => {
    const signal = AbortSignal.abort(new Error('Ctrl-C'));
    await expect(settle(reader({}), { quietMs: 60_000, signal })).rejects.toThrow('Ctrl-C');
  });
});
