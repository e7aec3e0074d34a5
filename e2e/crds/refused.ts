/** What the API server must refuse, each with the words that tell a user what is wrong and what would be right. */
import { apiVersion, binding, expressions, limit, policy, window, type Fields } from './objects.ts';

export const REFUSED: [what: string, object: Fields, words: RegExp][] = [
  ['a binding without clusterID', binding({ clusterID: undefined }), /spec\.clusterID: Required value/],
  ['a clusterID in capitals', binding({ clusterID: 'CLS' }), /spec\.clusterID: .*should match '\^\[a-z0-9\]/],
  [
    'a clusterID of 25 characters',
    binding({ clusterID: 'a'.repeat(25) }),
    /spec\.clusterID: Too long: may not be more than 24/,
  ],
  ['a binding without secretRef', binding({ secretRef: undefined }), /spec\.secretRef: Required value/],
  ['a secretRef without name', binding({ secretRef: { namespace: 'a' } }), /spec\.secretRef\.name: Required value/],
  [
    'a secretRef with empty name',
    binding({ secretRef: { name: '', namespace: 'a' } }),
    /spec\.secretRef\.name: .*at least 1/,
  ],
  [
    'a secretRef without namespace',
    binding({ secretRef: { name: 'a' } }),
    /spec\.secretRef\.namespace: Required value/,
  ],
  ['a binding without mountNamespace', binding({ mountNamespace: undefined }), /spec\.mountNamespace: Required value/],
  ['a mountNamespace with a dot', binding({ mountNamespace: 'a.b' }), /spec\.mountNamespace: .*should match/],
  [
    'an unknown operator',
    binding(expressions({ key: 'a', operator: 'Is', values: ['b'] })),
    /matchExpressions\[0\]\.operator: Unsupported value: "Is": supported values: "In", "NotIn"/,
  ],
  [
    'In without values',
    binding(expressions({ key: 'a', operator: 'In' })),
    /matchExpressions\[0\]\.values: .*In and NotIn need at least one value/,
  ],
  [
    'Exists with values',
    policy(expressions({ key: 'a', operator: 'Exists', values: ['b'] })),
    /\.values: .*Exists and DoesNotExist take no values/,
  ],
  [
    'Gt with a word',
    policy(expressions({ key: 'a', operator: 'Gt', values: ['many'] })),
    /\.values: .*Gt and Lt need exactly one value, an integer/,
  ],
  [
    'Lt with two values',
    policy(expressions({ key: 'a', operator: 'Lt', values: ['1', '2'] })),
    /\.values: .*Gt and Lt need exactly one value/,
  ],
  [
    'a field that nodes lack',
    policy({
      nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'spec.x', operator: 'In', values: ['a'] }] }] },
    }),
    /matchFields\[0\]\.key: Unsupported value.*metadata\.name/,
  ],
  ['a policy without cluster', policy({ cluster: undefined }), /spec\.cluster: Required value/],
  [
    '24:00',
    window({ start: '00:00', end: '24:00' }),
    /timeWindows\[0\]\.end: .*must be a time HH:MM from 00:00 to 23:59/,
  ],
  ['8:00', window({ start: '8:00', end: '18:00' }), /timeWindows\[0\]\.start: .*must be a time HH:MM/],
  ['12:60', window({ start: '12:60', end: '18:00' }), /timeWindows\[0\]\.start: .*must be a time HH:MM/],
  ['an empty time', window({ start: '', end: '18:00' }), /timeWindows\[0\]\.start: .*must be a time HH:MM/],
  ['start without end', window({ start: '08:00' }), /timeWindows\[0\]: .*give both, or neither/],
  ['an unknown day', window({ days: ['Mon'] }), /timeWindows\[0\]\.days\[0\]: .*must be one of Monday, Tuesday/],
  [
    'an offset for a zone',
    policy({ timeZone: '+08:00' }),
    /spec\.timeZone: .*IANA time zone, for example Asia\/Shanghai/,
  ],
  [
    '101 percent',
    limit({ resource: 'cpu', percent: 101 }),
    /resourceLimits\[0\]\.percent: .*less than or equal to 100/,
  ],
  ['-1 percent', limit({ resource: 'cpu', percent: -1 }), /resourceLimits\[0\]\.percent: .*greater than or equal to 0/],
  [
    'a negative quantity',
    limit({ resource: 'cpu', quantity: '-1' }),
    /resourceLimits\[0\]\.quantity: .*a Kubernetes quantity and not negative/,
  ],
  [
    'a negative whole number',
    limit({ resource: 'cpu', quantity: -1 }),
    /resourceLimits\[0\]\.quantity: .*not negative/,
  ],
  [
    'what is no quantity',
    limit({ resource: 'cpu', quantity: '4 cores' }),
    /resourceLimits\[0\]\.quantity: .*a Kubernetes quantity/,
  ],
  ['a limit without resource', limit({ percent: 1 }), /resourceLimits\[0\]\.resource: Required value/],
  ['a limit without any', limit({ resource: 'cpu' }), /resourceLimits\[0\]: .*needs quantity, percent or both/],
  [
    'a resource twice',
    limit({ resource: 'cpu', percent: 1 }, { resource: 'cpu', percent: 2 }),
    /resourceLimits\[1\]: Duplicate value/,
  ],
  [
    'a negative grace',
    policy({ gracefulReclaimPeriodSeconds: -1 }),
    /gracefulReclaimPeriodSeconds: .*greater than or equal to 0/,
  ],
  ['a misspelt field', policy({ timeWindow: [] }), /unknown field "spec\.timeWindow"/],
  [
    'a record without node',
    { apiVersion, kind: 'LeasedNode', metadata: { name: 'x' }, spec: { cluster: 'a', nodeUID: 'u', policy: 'p' } },
    /spec\.nodeName: Required value/,
  ],
];
