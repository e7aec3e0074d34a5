import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimName,
  isWorkerNameOf,
  labelValue,
  leasedNodeName,
  migratedNameSaidBy,
  migratedWorkerName,
  proxierName,
  syncerName,
  tokenSecretName,
  vnodeHashedName,
  vnodeName,
  vnodeNames,
  workerName,
} from './names.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const value = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const dnsLabel = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$/);
const dnsName = fc.array(dnsLabel, { minLength: 1, maxLength: 6 }).map((parts) =>
  parts
    .join('.')
    .slice(0, 253)
    .replace(/[^a-z0-9]+$/, ''),
);
const clusterID = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,22}[a-z0-9])?$/);
const uid = fc.uuid();

describe('names', () => {
  it.each([
    [vnodeName('cls-example', 'node1'), 'vnode-cls-example-node1'],
    [leasedNodeName('example-cluster', 'node1'), 'example-cluster.node1'],
    [claimName('example-cluster'), 'kubeocean-claim.example-cluster'],
    [syncerName('cls-example'), 'kubeocean-syncer-cls-example'],
    [proxierName('cls-example'), 'kubeocean-proxier-cls-example'],
    [labelValue('example-cluster'), 'example-cluster'],
    [labelValue(''), ''],
    // Pinned: a change here would orphan every object in running worker clusters.
    [workerName('u', 'default', 'web-5d9c7b4f6-abcde'), 'web-5d9c7b4f6-abcde-5e93061daa826e9d56ad21ff08be988e'],
    [workerName('u', 'default', 'web', 'configmap'), 'web-930096e0d423927c73c094a929242f62'],
    [vnodeName('c', `n${'x'.repeat(60)}`), 'vnode-c-nxxxxxxxxxxxxxxxxxxxxx-452960f6c2fa02f42b4dca88ffdc13b6'],
  ])('%s is %s', (actual, expected) => expect(actual).toBe(expected));

  it('are valid for what they name', () => {
    fc.assert(
      fc.property(clusterID, dnsName, dnsName, dnsLabel, uid, (id, binding, name, namespace, bindingUID) => {
        for (const vnode of [vnodeName(id, name), vnodeHashedName(id, name)]) {
          expect(vnode).toMatch(subdomain);
          expect(vnode.length).toBeLessThanOrEqual(63);
        }
        for (const worker of [
          workerName(bindingUID, namespace, name),
          workerName(bindingUID, namespace, name, 'secret'),
          tokenSecretName(bindingUID, namespace, name, bindingUID),
        ]) {
          expect(worker).toMatch(subdomain);
          expect(worker).toMatch(value);
          expect(worker.length).toBeLessThanOrEqual(63);
        }
        for (const long of [leasedNodeName(binding, name), claimName(binding)]) {
          expect(long).toMatch(subdomain);
          expect(long.length).toBeLessThanOrEqual(253);
        }
        for (const service of [syncerName(id), proxierName(id)]) {
          expect(service).toMatch(label);
          expect(service.length).toBeLessThanOrEqual(63);
        }
      }),
    );
  });

  it('make any text a label value, and leave label values alone', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 100 }), dnsName), (text) => {
        const made = labelValue(text);
        expect(made).toMatch(value);
        expect(made.length).toBeLessThanOrEqual(63);
        expect(labelValue(made)).toBe(made);
      }),
    );
  });

  it('differ when any part differs', () => {
    const pair = fc.tuple(dnsName, dnsName);
    fc.assert(
      fc.property(pair, pair, uid, (a, b, bindingUID) => {
        const same = a[0] === b[0] && a[1] === b[1];
        expect(leasedNodeName(...a) === leasedNodeName(...b)).toBe(same);
        expect(vnodeHashedName(...a) === vnodeHashedName(...b)).toBe(same);
        expect(workerName(bindingUID, ...a) === workerName(bindingUID, ...b)).toBe(same);
        expect(claimName(a[0]) === claimName(b[0])).toBe(a[0] === b[0]);
        expect(labelValue(a[0]) === labelValue(b[0])).toBe(a[0] === b[0]);
      }),
    );
  });

  it('of pairs that read the same joined up are told apart', () => {
    expect(leasedNodeName('a.b', 'c')).not.toBe(leasedNodeName('a', 'b.c'));
    expect(vnodeName('a', 'b-c')).toBe(vnodeName('a-b', 'c'));
    expect(vnodeHashedName('a', 'b-c')).not.toBe(vnodeHashedName('a-b', 'c'));
  });

  it('of copies of different kinds with one name differ', () => {
    const names = [undefined, 'configmap', 'secret', 'persistentvolumeclaim'] as const;
    expect(new Set(names.map((kind) => workerName('u', 'default', 'web', kind))).size).toBe(names.length);
  });

  it('of adopted vnodes are those of gocrane/kubeocean, beside our own', () => {
    const long = `n${'x'.repeat(60)}`;
    expect(vnodeNames('cls', 'n1')).toEqual(['vnode-cls-n1', vnodeHashedName('cls', 'n1')]);
    expect(vnodeNames('c', 'x'.repeat(55))[0]).toBe(vnodeName('c', 'x'.repeat(55)));
    // md5 of the whole, by another program.
    const given = 'vnode-c-nxxxxxxxxxxxxxxxxxxxxx-3dd0400fbc3e72ff9e68857b05de1e58';
    expect(vnodeNames('c', long)).toEqual([given, vnodeName('c', long)]);
  });

  it('of adopted pods are those of gocrane/kubeocean', () => {
    // md5 of "shop/web", by another program.
    expect(migratedWorkerName('shop', 'web')).toBe('web-d13b642203e1220b490820a07fe84f38');
    expect(migratedWorkerName('shop', 'a'.repeat(40))).toMatch(/^a{30}-[0-9a-f]{32}$/);
    expect(isWorkerNameOf(workerName('u', 'shop', 'web'), 'u', 'shop', 'web')).toBe(true);
    expect(isWorkerNameOf(migratedWorkerName('shop', 'web'), 'u', 'shop', 'web')).toBe(true);
    const saying = (said: string) => ({
      metadata: { namespace: 'shop', name: 'web', annotations: { 'kubeocean.io/physical-pod-name': said } },
    });
    const given = migratedWorkerName('shop', 'web');
    expect(migratedNameSaidBy(saying(given))).toBe(given);
    expect(migratedNameSaidBy(saying(migratedWorkerName('shop', 'other')))).toBeUndefined();
    expect(migratedNameSaidBy({ metadata: { namespace: 'shop', name: 'web' } })).toBeUndefined();
    expect(isWorkerNameOf(workerName('other', 'shop', 'web'), 'u', 'shop', 'web')).toBe(false);
    expect(isWorkerNameOf(migratedWorkerName('shop', 'other'), 'u', 'shop', 'web')).toBe(false);
  });
});
