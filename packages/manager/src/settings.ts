/** What the syncer and proxier Deployments are made with: the manager's flags and the workloads file, checked. */
import { existsSync, readFileSync } from 'node:fs';
import { MountPath } from '@kubeocean/shared/api';
import type { OptionValues } from '@kubeocean/shared/daemon';
import { isObject, messageOf, type Json } from '@kubeocean/shared/kube';
import type { OPTIONS } from './options.ts';

export interface WorkloadSettings {
  image: string;
  replicas: number;
  resources: Json;
  /** Empty: none. */
  priorityClassName: string;
  nodeSelector: Record<string, string>;
  tolerations: Json[];
  extraArgs: string[];
}

export interface Settings {
  syncer: WorkloadSettings;
  proxier: WorkloadSettings;
  imagePullPolicy: string;
  /** Names of Secrets in kubeocean-system. */
  imagePullSecrets: string[];
  servingCertificate: string;
  logLevel: string;
  /** IP addresses parted by commas, or empty. */
  clusterDNS: string;
  clusterDomain: string;
}

type Extras = Omit<WorkloadSettings, 'image' | 'replicas'>;

const DEFAULTS: Record<'syncer' | 'proxier', Extras> = {
  syncer: {
    resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    priorityClassName: '',
    nodeSelector: {},
    tolerations: [],
    extraArgs: [],
  },
  proxier: {
    resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    priorityClassName: '',
    nodeSelector: {},
    tolerations: [],
    extraArgs: [],
  },
};

const EXTRAS = Object.keys(DEFAULTS.syncer);

/** @throws Error naming the file, the field and what it takes. */
export function settingsFrom(options: OptionValues<typeof OPTIONS>): Settings {
  for (const flag of ['syncer-image', 'proxier-image'] as const) {
    if (options[flag] === '') throw new Error(`--${flag} must name an image`);
  }
  // The chart mounts the file there; a manager run by hand has none.
  const file = options['workloads-file'] || (existsSync(MountPath.workloads) ? MountPath.workloads : undefined);
  const extras = file ? parseWorkloads(read(file), file) : DEFAULTS;
  return {
    syncer: { image: options['syncer-image'], replicas: options['syncer-replicas'], ...extras.syncer },
    proxier: { image: options['proxier-image'], replicas: options['proxier-replicas'], ...extras.proxier },
    imagePullPolicy: options['image-pull-policy'],
    imagePullSecrets: (options['image-pull-secrets'] ?? '').split(',').filter((name) => name !== ''),
    servingCertificate: options['serving-certificate'],
    logLevel: options['log-level'],
    clusterDNS: options['cluster-dns'] ?? '',
    clusterDomain: options['cluster-domain'],
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`--workloads-file ${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Reads `{syncer: {...}, proxier: {...}}`; what is left out keeps its default.
 * @throws Error naming `file`, the field and what it takes.
 */
export function parseWorkloads(text: string, file: string): Record<'syncer' | 'proxier', Extras> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  const root = fields(document, file, ['syncer', 'proxier']);
  function extras(component: 'syncer' | 'proxier'): Extras {
    const where = `${file}: ${component}`;
    const given = fields(root[component] ?? {}, where, EXTRAS);
    const { resources, priorityClassName, nodeSelector, tolerations, extraArgs } = {
      ...DEFAULTS[component],
      ...withoutNulls(given),
    };
    if (!isObject(resources)) throw new Error(`${where}.resources must be an object of requests and limits`);
    if (typeof priorityClassName !== 'string') throw new Error(`${where}.priorityClassName must be a name (text)`);
    if (!isTextMap(nodeSelector)) {
      throw new Error(`${where}.nodeSelector must be an object of label values (text)`);
    }
    if (!Array.isArray(tolerations) || !tolerations.every(isObject)) {
      throw new Error(`${where}.tolerations must be a list of tolerations`);
    }
    if (!Array.isArray(extraArgs) || !extraArgs.every((arg) => typeof arg === 'string')) {
      throw new Error(`${where}.extraArgs must be a list of flags (text)`);
    }
    return { resources, priorityClassName, nodeSelector, tolerations, extraArgs };
  }
  return { syncer: extras('syncer'), proxier: extras('proxier') };
}

function withoutNulls(given: Json): Json {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== undefined));
}

function fields(value: unknown, where: string, known: string[]): Json {
  if (!isObject(value)) throw new Error(`${where} must be an object with ${known.join(', ')}`);
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${where} has an unknown field "${unknown}"; known: ${known.join(', ')}`);
  return value;
}

function isTextMap(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((one) => typeof one === 'string');
}
