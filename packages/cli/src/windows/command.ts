/** `kubeocean windows FILE|NAME`. */
import { readFileSync } from 'node:fs';
import { ResourceLeasingPolicies, type ResourceLeasingPolicy } from '@kubeocean/shared/api';
import { OptionError, type OptionTable } from '@kubeocean/shared/daemon';
import { is404, messageOf } from '@kubeocean/shared/kube';
import { policyProblem, windowsProblem } from '@kubeocean/shared/lease';
import { connect, defaultKubeconfig } from '../cluster.ts';
import { type Command, type Io, OUTPUT_OPTION, refuseBadName } from '../command.ts';
import { Failure } from '../failure.ts';
import { readPolicies } from '../policy-file/read.ts';
import { isRealTime } from '../times.ts';
import { windowsReport, windowsText } from './text.ts';

const OPTIONS = {
  kubeconfig: {
    type: 'string',
    description: 'kubeconfig of the worker cluster, for NAME; empty: $KUBECONFIG, otherwise ~/.kube/config',
  },
  'time-zone': {
    type: 'string',
    default: 'UTC',
    description: "IANA zone of policies that name none: the agent's --time-zone",
  },
  from: {
    type: 'string',
    pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/,
    form: 'an RFC 3339 time such as 2026-11-20T12:00:00Z',
    description: 'where to begin; empty: now',
  },
  days: { type: 'integer', default: 7, min: 1, max: 366, description: 'how many days to show' },
  ...OUTPUT_OPTION,
} as const satisfies OptionTable;

export const windowsCommand: Command<typeof OPTIONS> = {
  name: 'windows',
  usage: 'FILE|NAME',
  arguments: 1,
  summary:
    'shows when a ResourceLeasingPolicy is open, as a table and a bar per day. FILE is YAML or JSON (- for standard input; a path with a slash or an ending .yaml, .yml or .json), NAME is an object in the worker cluster.',
  options: OPTIONS,
  async run([argument = ''], options, io) {
    const zone = options['time-zone'];
    const zoneProblem = windowsProblem(undefined, zone);
    if (zoneProblem) throw new OptionError(`--time-zone: ${zoneProblem}`);
    const from = options.from ? new Date(options.from) : io.now();
    if (options.from && !isRealTime(options.from))
      throw new OptionError(`--from: there is no such time: ${options.from}`);
    const policies = isFile(argument)
      ? readPolicies(readText(argument), argument === '-' ? 'standard input' : argument, zone).map(
          ({ policy }) => policy,
        )
      : [await fetchPolicy(argument, options.kubeconfig, zone, io)];
    const reports = policies.map((policy) => windowsReport(policy, zone, from, options.days));
    if (options.output === 'json')
      io.out(`${JSON.stringify(reports.length === 1 ? reports[0] : reports, undefined, 2)}\n`);
    else io.out(reports.map(windowsText).join('\n'));
  },
};

function isFile(argument: string): boolean {
  return argument === '-' || argument.includes('/') || /\.(ya?ml|json)$/.test(argument);
}

function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function fetchPolicy(
  name: string,
  kubeconfig: string | undefined,
  zone: string,
  io: Io,
): Promise<ResourceLeasingPolicy> {
  refuseBadName(name, 'ResourceLeasingPolicy');
  const path = kubeconfig || defaultKubeconfig(io.env);
  if (!path) {
    throw new Failure(
      `"${name}" is no file (those have a slash or end in .yaml), and no kubeconfig says where to find an object of that name: give --kubeconfig`,
    );
  }
  const { client, server, close } = connect(path, 'worker');
  try {
    const policy = await client.get<ResourceLeasingPolicy>(ResourceLeasingPolicies, '', name, { timeoutMs: 10_000 });
    const problem = policyProblem(policy.spec, zone);
    if (problem) throw new Failure(`the policy ${name} is not valid: ${problem}`);
    return policy;
  } catch (error) {
    if (error instanceof Failure) throw error;
    const hint = is404(error)
      ? `; policies live in the worker cluster ("kubectl get rlp" there lists them), and ${server} is where this kubeconfig leads`
      : '';
    throw new Failure(`cannot read the ResourceLeasingPolicy ${name}: ${messageOf(error)}${hint}`, { cause: error });
  } finally {
    close();
  }
}
