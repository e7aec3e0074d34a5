import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeasedNode } from '../api/leased-node.ts';
import { allocate } from './allocate.ts';
import { claim, mount, node, now, pod, policy, run, tenants, written } from './allocate-fixtures.ts';
import { parseQuantity } from './quantity.ts';
import { WindowClosed } from './record.ts';
import { podRequests, type PodForRequests } from './requests.ts';

describe('allocation, for any input', () => {
  /** `PROPERTY_RUNS=10000` takes some twenty seconds of a processor. */
  const numRuns = Number(process.env['PROPERTY_RUNS'] ?? 500);
  const nodeName = fc.constantFrom('n1', 'n2', 'n3');
  const binding = fc.constantFrom('b1', 'b2', 'b3');
  const cores = fc.nat(9000).map((milli) => `${milli}m`);
  const limit = fc.record(
    { resource: fc.constantFrom('cpu', 'memory', 'pods'), quantity: fc.nat(12).map(String), percent: fc.nat(100) },
    { requiredKeys: ['resource'] },
  );
  const policies = fc
    .uniqueArray(
      fc.record({
        name: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
        cluster: binding,
        limits: fc.array(limit, { maxLength: 3 }),
        month: fc.integer({ min: 1, max: 3 }),
        state: fc.constantFrom('open', 'open', 'closed', 'taken back', 'not valid'),
      }),
      { selector: ({ name }) => name },
    )
    .map((list) =>
      list.map(({ name, cluster, limits, month, state }) => {
        const made = policy(name, { cluster, resourceLimits: limits }, `2026-0${month}-01T00:00:00Z`);
        if (state === 'closed') made.spec.timeWindows = [{ start: '18:00', end: '08:00' }];
        if (state === 'taken back') made.metadata.annotations = { 'kubeocean.io/reclaim': 'now' };
        if (state === 'not valid') made.spec.timeZone = 'Mars/Olympus';
        return made;
      }),
    );
  /** What may be written already: anything that some policy lends without the others. */
  const records = fc
    .array(fc.record({ nodeName, binding, cpu: fc.nat(9), policy: fc.constantFrom('p1', 'p2', 'p3', 'p4') }), {
      maxLength: 4,
    })
    .map((list) =>
      list.flatMap((each): LeasedNode[] => {
        const alone = run({
          nodes: [node(each.nodeName)],
          claims: [claim(each.binding)],
          policies: [
            policy(each.policy, {
              cluster: each.binding,
              resourceLimits: [{ resource: 'cpu', quantity: `${each.cpu}` }],
            }),
          ],
        });
        return written(alone.open);
      }),
    )
    .map((list) => [...new Map(list.map((record) => [record.metadata.name, record])).values()]);
  const pods = fc
    .array(
      fc.record({
        nodeName,
        cpu: cores,
        lent: fc.boolean(),
        binding,
        phase: fc.constantFrom('Running', 'Pending', 'Failed'),
      }),
      { maxLength: 12 },
    )
    .map((list) =>
      list.map((each, index) =>
        pod(
          `pod${index}`,
          each.nodeName,
          each.cpu,
          each.lent ? mount : 'default',
          { 'kubeocean.io/cluster-binding': each.binding },
          each.phase,
        ),
      ),
    );
  const input = fc.record({
    nodes: fc.uniqueArray(nodeName).map((names) => names.map((name) => node(name))),
    pods,
    policies,
    claims: fc.uniqueArray(binding).map((names) => names.map((name) => claim(name))),
    records: fc.constant<LeasedNode[]>([]),
    tenants: fc.constant(tenants),
    now: fc.constant(now),
    defaultTimeZone: fc.constant('UTC'),
  });

  it('never lends more than native pods leave, nor above the limits', () => {
    fc.assert(
      fc.property(input, (given) => {
        const result = allocate(given);
        for (const { metadata } of given.nodes) {
          const records = result.open.filter((record) => record.spec.nodeName === metadata.name);
          const native = given.pods.filter(
            (each) =>
              each.spec['nodeName'] === metadata.name &&
              each.metadata.namespace !== mount &&
              each.status?.['phase'] !== 'Failed',
          );
          const used = native.reduce((sum, each) => sum + cpuOf(each.spec.containers?.[0]?.resources?.requests), 0n);
          const left = 8_000_000_000n - used;
          // Who waits for the next window is lent nothing, and shows what it would be.
          const running = records.filter(({ status }) => status.reason !== WindowClosed);
          const total = running.reduce((sum, record) => sum + cpuOf(record.status.allocatable), 0n);
          const held = new Map(
            records.map((record) => [
              record,
              given.pods
                .filter(
                  (each) =>
                    each.spec['nodeName'] === metadata.name &&
                    each.metadata.namespace === mount &&
                    each.metadata.labels?.['kubeocean.io/cluster-binding'] === record.spec.cluster &&
                    each.status?.['phase'] !== 'Failed',
                )
                .reduce((sum, each) => sum + cpuOf(each.spec.containers?.[0]?.resources?.requests), 0n),
            ]),
          );
          for (const [record, mine] of held) {
            const others = [...held].reduce((sum, [other, its]) => (other === record ? sum : sum + its), 0n);
            const physical = left - others > 0n ? left - others : 0n;
            // Nothing is lent twice: not even what others hold beyond their share.
            expect(cpuOf(record.status.allocatable)).toBeLessThanOrEqual(physical);
            const share = cpuOf(record.status.allocatable);
            expect(cpuOf(record.status.ceiling)).toBe(share > mine ? share : mine);
          }
          expect(total).toBeLessThanOrEqual(left > 0n ? left : 0n);
          for (const record of records) {
            const chosen = given.policies.find((each) => each.metadata.name === record.status.policy);
            for (const { resource, quantity } of chosen?.spec.resourceLimits ?? []) {
              if (quantity === undefined) continue;
              expect(parseQuantity(record.status.allocatable?.[resource] ?? '0').nanos).toBeLessThanOrEqual(
                parseQuantity(quantity).nanos,
              );
            }
          }
        }
      }),
      { numRuns },
    );
  });

  it('lends nothing twice: what is promised or held by pods is never more than native pods leave', () => {
    fc.assert(
      fc.property(input, records, (given, existing) => {
        const { open } = allocate({ ...given, records: existing });
        for (const { metadata, status } of given.nodes) {
          const pods = given.pods.filter(
            (each) => each.spec['nodeName'] === metadata.name && each.status?.['phase'] !== 'Failed',
          );
          const lent = pods.filter((each) => each.metadata.namespace === mount);
          const native = pods.filter((each) => each.metadata.namespace !== mount);
          // Who waits for the next window is promised nothing, and shows what it would be.
          const promising = open.filter(
            (record) => record.spec.nodeName === metadata.name && record.status.reason !== WindowClosed,
          );
          for (const resource of ['cpu', 'memory', 'pods']) {
            const holds = (binding: string) =>
              takenBy(
                lent.filter((each) => bindingOf(each) === binding),
                resource,
              );
            const free = amountOf(status?.allocatable, resource) - takenBy(native, resource);
            const beyond = promising.reduce((sum, record) => {
              const more = amountOf(record.status.allocatable, resource) - holds(record.spec.cluster);
              return sum + (more > 0n ? more : 0n);
            }, 0n);
            // Where pods alone hold more than there is, nothing may be added.
            const room = free - takenBy(lent, resource);
            expect(beyond).toBeLessThanOrEqual(room > 0n ? room : 0n);
          }
        }
      }),
      { numRuns },
    );
  });

  it('does not depend on the order of anything', () => {
    const shuffled = input.chain((given) =>
      fc
        .tuple(
          fc.shuffledSubarray(given.nodes, { minLength: given.nodes.length }),
          fc.shuffledSubarray(given.pods, { minLength: given.pods.length }),
          fc.shuffledSubarray(given.policies, { minLength: given.policies.length }),
          fc.shuffledSubarray(given.claims, { minLength: given.claims.length }),
        )
        .map(
          ([nodes, otherPods, otherPolicies, claims]) =>
            [given, { ...given, nodes, pods: otherPods, policies: otherPolicies, claims }] as const,
        ),
    );
    fc.assert(
      fc.property(shuffled, ([a, b]) => {
        expect(allocate(b)).toEqual(allocate(a));
      }),
      { numRuns },
    );
  });

  it('asks for no change of what it asked for', () => {
    fc.assert(
      fc.property(input, (given) => {
        const first = allocate(given);
        const second = allocate({ ...given, records: written(first.open) });
        expect(second.open).toEqual(first.open);
        expect(second.closed).toEqual([]);
      }),
      { numRuns },
    );
  });
});

function bindingOf({ metadata }: PodForRequests): string | undefined {
  return metadata.labels?.['kubeocean.io/cluster-binding'];
}

function takenBy(pods: readonly PodForRequests[], resource: string): bigint {
  return pods.reduce((sum, each) => sum + (podRequests(each).get(resource)?.nanos ?? 0n), 0n);
}

function amountOf(list: Record<string, string | number> | undefined, resource: string): bigint {
  return parseQuantity(list?.[resource] ?? '0').nanos;
}

function cpuOf(list: Record<string, string | number> | undefined): bigint {
  return parseQuantity(list?.['cpu'] ?? '0').nanos;
}
