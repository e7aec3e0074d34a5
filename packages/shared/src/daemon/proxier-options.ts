/**
 * The flags of the proxier, from which parsing, `--help` and the docs come. They are here for the manager, which reads
 * in the proxier's flags how long its pods take to end.
 */
import { isIP } from 'node:net';
import { MountPath } from '../api/constants.ts';
import { COMMON_OPTIONS, type OptionTable } from './options.ts';

export const PROXIER_OPTIONS = {
  ...COMMON_OPTIONS,
  'cluster-binding-name': { type: 'string', required: true, description: 'ClusterBinding whose vnodes are served' },
  'worker-kubeconfig': {
    type: 'string',
    default: MountPath.workerKubeconfig,
    description: 'kubeconfig file of the worker cluster; replaced files are taken up',
  },
  'serving-certificate': {
    type: 'string',
    default: 'self-signed',
    choices: ['self-signed', 'csr', 'secret'],
    description:
      'where the certificate of the vnodes comes from: made here, signed by the cluster (API servers that verify kubelets need it), or mounted',
  },
  'serving-certificate-secret-dir': {
    type: 'string',
    default: '/etc/kubeocean/serving-certificate',
    description: 'folder with tls.crt and tls.key, for --serving-certificate=secret',
  },
  'listen-address': {
    type: 'string',
    default: '',
    check: (value) => isIP(value) !== 0,
    form: 'an IP address',
    description: 'address of the ports of the vnodes; empty: all addresses',
  },
  'session-limit': {
    type: 'integer',
    default: 1000,
    min: 1,
    max: 100_000,
    description: 'log streams, exec, attach and port-forward sessions open at once',
  },
  'session-limit-per-vnode': {
    type: 'integer',
    default: 250,
    min: 1,
    max: 100_000,
    description: 'the same for one vnode',
  },
  'session-idle-seconds': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 2_000_000,
    unit: 'seconds',
    description: 'ends a session in which nothing was sent or received for so long; pings do not count; 0: never',
  },
  'session-max-seconds': {
    type: 'integer',
    default: 0,
    min: 0,
    max: 2_000_000,
    unit: 'seconds',
    description: 'ends a session that has been open for so long; 0: never',
  },
  'drain-seconds': {
    type: 'integer',
    default: 30,
    min: 0,
    max: 3600,
    unit: 'seconds',
    description: 'how long open sessions may go on after the process was told to stop; 0: not at all',
  },
} as const satisfies OptionTable;
