/** Why not more of a node is lent to one binding: who has the rest, by the same account as the agent's. Pure. */
import { labelValue, type LeasedNode, type ResourceLimit } from '@kubeocean/shared/api';
import {
  countPods,
  formatResources,
  groupName,
  isOpen,
  parseResources,
  remaining,
  type Resources,
  settles,
  WindowClosed,
  type WorkerNode,
} from '@kubeocean/shared/lease';
import { valueOr, type WorkerFacts } from './facts.ts';
import { forPeople } from './lease-words.ts';
import { isGoing, type PolicyView, type World } from './world.ts';

/** Something that takes part of a node: by resource the amount, and the words around it. */
interface Taker {
  amounts: Record<string, string>;
  words: (amount: string) => string;
}

/** A line for each resource that is not lent in full. */
export function whyNotMore(record: LeasedNode, node: WorkerNode, worker: WorkerFacts, world: World): string[] {
  const lent = record.status?.allocatable ?? {};
  const total = node.status?.allocatable ?? {};
  const pods = valueOr(worker.podsOnNode, undefined);
  const usage = pods && countPods(pods, world.tenants).on(node.metadata.name);
  const left = usage && formatResources(remaining(parseResources(total), usage.native));
  const native = usage ? formatResources(usage.native) : {};
  const held = usage?.lent ?? new Map<string, { requests: Resources; leaving: Resources }>();
  const takers = [...lostPods(held, node, world), ...others(record, held, node, world)];
  const leaving = held.get(groupOf(record))?.leaving;
  const limits = viewOf(record, world)?.spec?.resourceLimits ?? [];
  return Object.entries(total).flatMap(([resource, amount]) => {
    if (lent[resource] === amount) return [];
    const read = (text = '0'): string => forPeople(resource, text);
    const caps = capTexts(limits, resource);
    const taken = takers.flatMap(({ amounts, words }) => {
      const part = amounts[resource];
      return part && part !== '0' ? [words(read(part))] : [];
    });
    const parts = [
      `the node can give ${read(amount)}`,
      ...(left ? [`its own pods ask for ${read(native[resource])}, which leaves ${read(left[resource])}`] : []),
      ...taken,
      ...(caps.length > 0 ? [`the policy caps it at ${caps.join(' and ')}`] : []),
      ...(leaving?.get(resource) ? ['pods that are ending are taken off until they are gone'] : []),
    ];
    return [`${resource}: ${read(lent[resource])} lent to ${record.spec.cluster}; ${parts.join('; ')}.`];
  });
}

function capTexts(limits: readonly ResourceLimit[], resource: string): string[] {
  return limits
    .filter((limit) => limit.resource === resource)
    .map(({ quantity, percent }) =>
      [
        quantity === undefined ? [] : `quantity ${quantity}`,
        percent === undefined ? [] : `${percent} % of what is left`,
      ]
        .flat()
        .join(' and '),
    );
}

function groupOf({ metadata, spec }: LeasedNode): string {
  return groupName(metadata.namespace, labelValue(spec.cluster));
}

function viewOf({ status, spec }: LeasedNode, { policies }: World): PolicyView | undefined {
  const name = status?.policy ?? spec.policy;
  return policies.find(({ policy }) => policy.metadata.name === name);
}

function openOn(node: WorkerNode, { records }: World): LeasedNode[] {
  return records.filter((record) => isOpen(record) && record.spec.nodeName === node.metadata.name);
}

/** Pods of a mount namespace that no lease on this node is for: they take their room until they are gone. */
function lostPods(held: ReadonlyMap<string, { requests: Resources }>, node: WorkerNode, world: World): Taker[] {
  if (!world.seen.records) return [];
  const leased = new Set(openOn(node, world).map(groupOf));
  return [...held].flatMap(([group, { requests }]) => {
    if (leased.has(group)) return [];
    const [namespace = '', label = ''] = group.split('/');
    const whose =
      label === ''
        ? `pods without a binding in ${namespace}, which are left alone or deleted,`
        : `pods of ${label} in ${namespace}, whose lease here is over,`;
    return [{ amounts: formatResources(requests), words: (amount: string) => `${whose} hold ${amount}` }];
  });
}

/**
 * Older policies of other bindings come first, with all they are entitled to; younger ones, those whose window is closed,
 * and those that nothing lends any more, only keep what their pods hold.
 */
function others(
  record: LeasedNode,
  held: ReadonlyMap<string, { requests: Resources }>,
  node: WorkerNode,
  world: World,
): Taker[] {
  const place = (one: LeasedNode): number => {
    const view = viewOf(one, world);
    return view && !isGoing(view) ? world.policies.indexOf(view) : world.policies.length;
  };
  return openOn(node, world).flatMap((other): Taker[] => {
    if (groupOf(other) === groupOf(record)) return [];
    const { cluster } = other.spec;
    const pods = formatResources(held.get(groupOf(other))?.requests ?? new Map());
    const holding: Taker = { amounts: pods, words: (amount) => `pods of ${cluster} hold ${amount}` };
    const { phase, reason, allocatable = {} } = other.status ?? {};
    if (place(other) > place(record) || reason === WindowClosed || settles(reason)) return [holding];
    const words =
      phase === 'Closing'
        ? (amount: string) => `${amount} kept for the owner, who takes it back from ${cluster}`
        : (amount: string) => `${amount} lent to ${cluster}`;
    const beyond = Object.entries(pods).filter(([name, amount]) => isMore(amount, allocatable[name]));
    return [
      { amounts: allocatable, words },
      ...(beyond.length > 0 ? [{ ...holding, amounts: Object.fromEntries(beyond) }] : []),
    ];
  });
}

function isMore(amount: string, than = '0'): boolean {
  return [...remaining(parseResources({ x: amount }), parseResources({ x: than })).values()].some(
    ({ nanos }) => nanos > 0n,
  );
}
