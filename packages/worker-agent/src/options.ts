/** Flags of the worker agent. */
import { MountPath } from '@kubeocean/shared/api';
import { COMMON_OPTIONS, LEADER_OPTIONS, type OptionTable } from '@kubeocean/shared/daemon';

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
    description: 'IANA zone of policies that name none, such as Asia/Shanghai',
  },
} as const satisfies OptionTable;
