/** Schema of ResourceLeasingPolicy; the TypeScript side is policy.ts. What cannot be valid is refused here (CEL). */
import { boolean, integer, list, object, raw, type Schema, text, time, word } from './schema.ts';
import { DayNames, MaxGracefulReclaimSeconds } from './policy.ts';
import { conditions, nodeSelector, objectName } from './schema-common.ts';

function clock(description: string): Schema {
  return text(description, {
    maxLength: 16,
    rules: [
      {
        rule: "self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",
        message: 'must be a time HH:MM from 00:00 to 23:59 in quotes, for example "08:30"',
      },
    ],
  });
}

const window = object(
  'Open from start to end, both inclusive to the minute, on the days listed.',
  {
    start: clock('HH:MM. start and end left out = the whole day.'),
    end: clock('HH:MM. Earlier than start = across midnight; the days are those of the moment asked.'),
    days: list(
      'English day names, in any case. None = every day.',
      text('Day name.', {
        maxLength: 16,
        rules: [
          {
            rule: `self.lowerAscii() in [${DayNames.map((day) => `'${day.toLowerCase()}'`).join(', ')}]`,
            message: `must be one of ${DayNames.join(', ')}`,
          },
        ],
      }),
      { maxItems: 7 },
    ),
  },
  {
    rules: [
      {
        rule: 'has(self.start) == has(self.end)',
        message: 'start and end belong together: give both, or neither for the whole day',
      },
    ],
  },
);

const quantity: Schema = {
  description: 'At most this much, as a Kubernetes quantity, for example "4", 500m, 16Gi. 0 lends nothing.',
  anyOf: [{ type: 'integer' }, { type: 'string' }],
  maxLength: 64,
  'x-kubernetes-int-or-string': true,
  'x-kubernetes-validations': [
    {
      // An API server writes an amount out to compare it: of 1e9999999 ten million digits, for as long as that takes it.
      rule: "type(self) == string ? (self.matches('^[^eE]*(E|Ei|[eE][+-]?[0-9]{1,2})?$') && isQuantity(self) && !quantity(self).isLessThan(quantity('0'))) : self >= 0",
      message: 'must be a Kubernetes quantity and not negative, for example "4", 500m or 16Gi',
    },
  ],
};

const limit = object(
  'Cap on one resource.',
  {
    resource: text('Resource as nodes name it: cpu, memory, pods, nvidia.com/gpu.', {
      minLength: 1,
      maxLength: 316,
      pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$',
      rules: [
        {
          // A cap on a resource that no node has would be none, and what was meant would be lent in full.
          rule: "self.contains('/') || self.startsWith('hugepages-') || self in ['cpu', 'memory', 'ephemeral-storage', 'pods']",
          message:
            'must be cpu, memory, ephemeral-storage, pods, hugepages-<size>, or have a domain as in nvidia.com/gpu',
        },
      ],
    }),
    quantity,
    percent: integer('At most this share of what native pods leave, 0 to 100. 0 lends nothing.', {
      minimum: 0,
      maximum: 100,
    }),
  },
  {
    required: ['resource'],
    rules: [
      {
        rule: 'has(self.quantity) || has(self.percent)',
        message: 'needs quantity, percent or both (then the smaller counts); leave the entry out to lend all',
      },
    ],
  },
);

const spec = object(
  'What is lent, to whom, and when.',
  {
    cluster: objectName('Name of the ClusterBinding in the computing cluster (not its clusterID).'),
    nodeSelector: nodeSelector(
      "Nodes to lend; left out, or without terms = all. The binding's own selector must match too.",
    ),
    timeWindows: list('Open while any of them is; none = always.', window, { maxItems: 64 }),
    timeZone: text("IANA time zone of the windows, for example Asia/Shanghai. Default: the agent's, UTC unless set.", {
      maxLength: 64,
      rules: [
        {
          rule: "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')",
          message: 'must be an IANA time zone, for example Asia/Shanghai, Europe/Berlin or UTC',
        },
      ],
    }),
    resourceLimits: list('Caps on what native pods leave; a resource not listed is lent in full.', limit, {
      maxItems: 64,
      'x-kubernetes-list-map-keys': ['resource'],
    }),
    forceReclaim: boolean('Evict lent pods when a window closes. Default false: only new pods are kept away.'),
    gracefulReclaimPeriodSeconds: integer('Seconds between the closing of a window and the eviction. Default 0.', {
      minimum: 0,
      maximum: MaxGracefulReclaimSeconds,
    }),
  },
  { required: ['cluster'] },
);

const resource = object(
  'Where one resource of the lent nodes goes to.',
  {
    resource: text('Resource.'),
    has: text('What the nodes have (allocatable): the sum of the others.'),
    native: text('Held by native pods, or by lent pods whose lease there is over.'),
    others: text('Lent to other bindings, or held by their pods.'),
    kept: text('Kept back by resourceLimits.'),
    closed: text('Of nodes that take no new pods: their window is closed, or they are taken back.'),
    lent: text('Lent under this policy.'),
  },
  { required: ['resource'] },
);

const status = object('What came of it.', {
  phase: word('Active: a window is open. Failed: see the condition Valid.', [
    'Pending',
    'Active',
    'Inactive',
    'Failed',
  ]),
  activeTimeWindow: boolean('Whether a window is open.'),
  lastAppliedTime: time('When phase or activity last changed.'),
  observedGeneration: { ...integer('metadata.generation that this speaks of.'), format: 'int64' },
  closesAt: time('When the open window closes.'),
  opensAt: time('When a window opens next.'),
  nodes: integer('Number of nodes lent now.'),
  resources: list('Per resource, where what the lent nodes have goes to.', resource),
  lastValidSpec: raw('What applies while the spec is not valid: the last one that was.'),
  reason: text('Why nothing, or not everything, is lent: one word; the conditions say more.'),
  conditions: conditions('Valid, Active, Leased, Fits; NetworkOverlap and ForeignState while there is one.'),
});

export const policySchema = {
  description:
    'ResourceLeasingPolicy is the word of the owner of a worker cluster on what is lent, to whom and when. It lives in the worker cluster.',
  spec,
  status,
};
