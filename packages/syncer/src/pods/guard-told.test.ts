import { Annotation } from '@kubeocean/shared/api';
import { Registry } from '@kubeocean/shared/daemon';
import type { Condition } from '@kubeocean/shared/kube';
import { expect, test } from 'vitest';
import type { SyncerContext } from '../context.ts';
import { guardOf } from './index.ts';

function begin(status: object = {}) {
  const told: Partial<Condition>[] = [];
  const metadata: { name: string; annotations: Record<string, string> } = { name: 'b', annotations: {} };
  const registry = new Registry();
  const guard = guardOf({
    stores: { workerPods: { size: 100 } },
    binding: () => ({ metadata, status }),
    bindingName: 'b',
    report: { condition: (condition: Partial<Condition>) => told.push(condition) },
    registry,
  } as unknown as SyncerContext);
  return { guard, told, metadata, registry };
}

test('that the deletion guard waits for a person is told on the binding, and to whoever watches metrics', async () => {
  const { guard, told, metadata, registry } = begin();
  const held = async () => Number(/^kubeocean_deletions_held (\d+)$/m.exec(await registry.metrics())?.[1]);
  expect([await held(), told.at(-1)?.status]).toEqual([0, 'False']);
  for (let at = 0; at < 25; at++) guard.allow(`uid-${at}`);
  expect([await held(), told.at(-1)?.status]).toEqual([5, 'True']);
  const token = /approve-deletions=(\w+)$/.exec(told.at(-1)?.message ?? '')?.[1] ?? '';
  metadata.annotations[Annotation.approveDeletions] = token;
  expect(guard.allow('uid-24')).toBe(true);
  expect([await held(), told.at(-1)?.status]).toEqual([0, 'False']);
});

test('a syncer that begins while the binding says that the guard has stopped goes on holding back', () => {
  const { guard, told } = begin({ conditions: [{ type: 'DeletionGuard', status: 'True' }] });
  expect(told).toEqual([]);
  expect(guard.allow('uid')).toBe(false);
  expect(told.at(-1)?.message).toMatch(/^1 pods would be deleted or failed although nobody asked for it/);
});
