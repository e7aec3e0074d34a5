import { describe, expect, test } from 'vitest';
import { homeClaim, storageClass } from './samples.ts';
import { claimProblem, offerOf } from './storage-class.ts';

describe('a StorageClass', () => {
  test.each([
    [{}, { workerClass: 'local-path', topology: 'node' }],
    [{ parameters: { workerStorageClass: 'nfs', topology: 'worker' } }, { workerClass: 'nfs', topology: 'worker' }],
    [{ volumeBindingMode: 'Immediate' }, 'must have volumeBindingMode WaitForFirstConsumer'],
    [{ parameters: {} }, 'lacks the parameter workerStorageClass'],
    [{ parameters: { workerStorageClass: '' } }, 'lacks the parameter workerStorageClass'],
    [
      { parameters: { workerStorageClass: 'a', topology: 'rack' } },
      'has the topology rack; it must be one of node, zone, worker',
    ],
    [{ parameters: { workerStorageClass: 'a', fsType: 'xfs' } }, 'has unknown parameters: fsType'],
    [{ mountOptions: ['ro'] }, 'has mountOptions'],
  ])('with %j', (more, expected) => {
    const offer = offerOf(storageClass(more));
    if (typeof expected === 'string') expect(offer).toContain(expected);
    else expect(offer).toEqual(expected);
  });
});

describe('a claim', () => {
  test('of modes, size and class can be provisioned', () => expect(claimProblem(homeClaim())).toBeUndefined());

  test.each(['selector', 'dataSource', 'dataSourceRef', 'volumeAttributesClassName'])('with %s cannot', (field) => {
    expect(claimProblem(homeClaim({ [field]: {} }))).toContain(`spec.${field} is not carried`);
  });
});
