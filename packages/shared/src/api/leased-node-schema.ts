/** Schema of LeasedNode; the TypeScript side is leased-node.ts. */
import { boolean, list, map, object, raw, text, time, word } from './schema.ts';
import { immutable, objectName } from './schema-common.ts';

const spec = object(
  'Which node is lent to whom. Set once.',
  {
    cluster: {
      ...objectName('Name of the ClusterBinding.'),
      'x-kubernetes-validations': [immutable('cluster', 'a record belongs to one binding')],
    },
    nodeName: {
      ...objectName('Name of the worker node.'),
      'x-kubernetes-validations': [immutable('nodeName', 'a record belongs to one node')],
    },
    nodeUID: text('UID of the worker node.', { minLength: 1, maxLength: 128 }),
    policy: objectName('Policy under which it was first lent.'),
  },
  { required: ['cluster', 'nodeName', 'nodeUID', 'policy'] },
);

const taint = object(
  'core/v1 Taint.',
  {
    key: text('Key.', { minLength: 1, maxLength: 317 }),
    value: text('Value.', { maxLength: 63 }),
    effect: word('Effect.', ['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
    timeAdded: time('When it was added.'),
  },
  { required: ['key', 'effect'] },
);

const status = object('The lease as it stands.', {
  phase: word('Active: pods welcome. Closing: no new pods, notice running. Closed: see reason.', [
    'Active',
    'Closing',
    'Closed',
  ]),
  reason: text(
    'Why it closes: WindowClosed, ReclaimedByOwner, or PolicyGone, NotSelected and Released for the first seconds. Why it is closed: NodeGone, NotSelected, PolicyGone, Released. Shrunk: pods hold more than is lent by now; they stay.',
  ),
  message: text('The same for people.'),
  policy: text('Policy that applies now.'),
  allocatable: map('What is lent, by resource.', text('Quantity.')),
  ceiling: map(
    'What lent pods may hold at most: what is lent, or more where they held more when it shrank. Pods beyond it are deleted, newest first.',
    text('Quantity.'),
  ),
  taints: list("Taints to show on the vnode: the lease's own and the worker node's.", taint),
  unschedulable: boolean('Whether the worker node is cordoned.'),
  networkOverlap: text('Pods here have addresses of a computing cluster: home does not show them.'),
  window: object('Next transitions.', {
    closesAt: time('When the open window closes.'),
    opensAt: time('When a window opens next.'),
  }),
  reclaimAt: time('When eviction starts. Absent while running pods may stay.'),
  reclaimDeadline: time('When pods that are left are deleted without regard to disruption budgets.'),
  reclaimStage: word(
    'How far the taking back is. Notice: before reclaimAt. Syncer: the computing cluster evicts first. Evicting: the agent evicts. Deleting: past the deadline. Done: nothing lent runs on the node any more.',
    ['Notice', 'Syncer', 'Evicting', 'Deleting', 'Done'],
  ),
  noticeEndsAt: time('While it only seems to be over: when a notice that ran before ends, should the lease go on.'),
  noticedAt: time('When the pods were told that the window closes soon.'),
  closedAt: time('Since when it is Closed.'),
  node: object('What the vnode shows of the worker node.', {
    labels: map('Labels.', text('Value.')),
    conditions: list('Conditions, as the node has them.', raw('core/v1 NodeCondition.')),
    nodeInfo: raw('core/v1 NodeSystemInfo.'),
    innerIP: text('InternalIP.'),
  }),
});

export const leasedNodeSchema = {
  description:
    'LeasedNode is one worker node, or a share of it, lent to one binding. Written by the worker agent only, into the mount namespace of the binding.',
  spec,
  status,
};
