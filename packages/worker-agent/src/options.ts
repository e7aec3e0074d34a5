/** Flags of the worker agent. */
import { MountPath } from '@kubeocean/shared/api';
import { COMMON_OPTIONS, isBindAddress, LEADER_OPTIONS, type OptionTable } from '@kubeocean/shared/daemon';
import { windowsProblem } from '@kubeocean/shared/lease';
import { StatsPort } from '@kubeocean/shared/stats';
import { parseRanges } from './network/overlap.ts';

function areRanges(text: string): boolean {
  try {
    return parseRanges(text).length > 0;
  } catch {
    return false;
  }
}

export const AGENT_OPTIONS = {
  ...COMMON_OPTIONS,
  ...LEADER_OPTIONS,
  'tenants-file': {
    type: 'string',
    default: MountPath.tenants,
    description: "JSON file with the mount namespaces and who may claim there (the chart's value tenants)",
  },
  'time-zone': {
    type: 'string',
    default: 'UTC',
    check: (zone) => windowsProblem([], zone) === undefined,
    form: 'the IANA name of a time zone that is known here, such as Asia/Shanghai',
    description: 'IANA zone of policies that name none, such as Asia/Shanghai',
  },
  'reclaim-deadline': {
    type: 'integer',
    default: 600,
    min: 0,
    max: 86_400,
    unit: 'seconds',
    description: 'after the notice ends, time until lent pods are deleted past their disruption budgets',
  },
  'max-termination-grace': {
    type: 'integer',
    default: 600,
    min: 1,
    max: 86_400,
    unit: 'seconds',
    description:
      'longest termination grace period that a lent pod is given when its lease, or the worker cluster itself, ends it',
  },
  'notice-seconds': {
    type: 'integer',
    default: 300,
    min: 0,
    max: 86_400,
    unit: 'seconds',
    description: 'how long before a window closes lent pods get an event, where forceReclaim will evict them',
  },
  'metadata-prefixes': {
    type: 'string',
    default: '',
    pattern: /^[A-Za-z0-9][-A-Za-z0-9_./]*(,[A-Za-z0-9][-A-Za-z0-9_./]*)*$/,
    form: 'beginnings of label keys separated by commas, such as team.example.com/',
    description:
      "labels and annotations whose keys begin so are carried from home pods to lent pods (the chart's value lentPods.metadataPrefixes)",
  },
  'computing-cidrs': {
    type: 'string',
    default: '',
    pattern: /^[^,]+(,[^,]+)*$/,
    check: areRanges,
    form: 'ranges of addresses separated by commas, such as 10.20.0.0/16,fd00:20::/48',
    description:
      "ranges of the computing clusters' pods and Services; policies say NetworkOverlap when nodes here have pods in them (the chart's value networkPolicy.computingCIDRs)",
  },
  'stats-bind-address': {
    type: 'string',
    default: `:${StatsPort.number}`,
    check: isBindAddress,
    form: 'an address such as :10260 or 127.0.0.1:10260 (:0 for any free port)',
    description: 'address at which computing clusters are given the metrics of their pods, over HTTPS',
  },
  'kubelet-insecure-tls': {
    type: 'boolean',
    default: false,
    description:
      'ask kubelets for metrics without verifying their certificates, for clusters whose own CA did not sign them',
  },
  'test-clock-file': {
    type: 'string',
    description:
      'for tests: a file with an RFC 3339 time that is taken for the time at which the file was last changed; followed when it changes',
  },
} as const satisfies OptionTable;
