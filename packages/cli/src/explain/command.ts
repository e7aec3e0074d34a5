/** `kubeocean explain node|pod|policy NAME`. */
import { type ClusterBinding, Label, labelValue } from '@kubeocean/shared/api';
import { OptionError, type OptionTable } from '@kubeocean/shared/daemon';
import { connect, type Connection, defaultKubeconfig } from '../cluster.ts';
import { type Command, OUTPUT_OPTION, refuseBadName } from '../command.ts';
import { Failure } from '../failure.ts';
import { type Explanation, type Facts, unknowns, valueOr } from './facts.ts';
import { explainNode, workerNodeOf } from './node.ts';
import { otherWorker } from './other-worker.ts';
import { explainPod } from './pod.ts';
import { explainPolicy } from './policy.ts';
import { failIfSilent, readHome, readPodsOn, readWorker } from './read.ts';
import { readPod } from './read-pod.ts';
import { explanationText } from './text.ts';

const OPTIONS = {
  kubeconfig: {
    type: 'string',
    description:
      'kubeconfig of the computing cluster; empty: $KUBECONFIG, otherwise ~/.kube/config, unless --worker-kubeconfig alone is given',
  },
  'worker-kubeconfig': {
    type: 'string',
    description:
      'kubeconfig of the worker cluster; of a policy, if neither is given: $KUBECONFIG, otherwise ~/.kube/config',
  },
  namespace: {
    type: 'string',
    description:
      "of the pod; also -n, or NAME as NAMESPACE/NAME; left out: that of the context in the computing cluster's kubeconfig, otherwise default",
  },
  ...OUTPUT_OPTION,
} as const satisfies OptionTable;

interface Clusters {
  home: Connection | undefined;
  worker: Connection | undefined;
}

export const explainCommand: Command<typeof OPTIONS> = {
  name: 'explain',
  usage: 'node|pod|policy NAME',
  arguments: 2,
  summary:
    'tells in words what is lent, why not more, and what happens next. A node is a vnode or a worker node, a pod is one of the computing cluster, a policy one of the worker cluster. Either kubeconfig may be left out; then it says what cannot be known.',
  options: OPTIONS,
  async run([kind = '', name = ''], options, io) {
    const explain = Object.hasOwn(explainers, kind) ? explainers[kind] : undefined;
    if (!explain) throw new OptionError(`"${kind}" cannot be explained; there are: node, pod, policy`);
    const { namespace, name: called } =
      kind === 'pod' ? podName(name, options.namespace) : { namespace: undefined, name };
    refuseBadName(called, kind);
    // Policies live in the worker only: their owner's own kubeconfig is meant, as with windows.
    const ownWorker = kind === 'policy' && !options.kubeconfig;
    const workerPath = options['worker-kubeconfig'] || (ownWorker ? defaultKubeconfig(io.env) : undefined);
    const homePath = options.kubeconfig || (workerPath ? undefined : defaultKubeconfig(io.env));
    if (!homePath && !workerPath) {
      throw new Failure('no cluster to read: give --kubeconfig (computing cluster), --worker-kubeconfig, or both');
    }
    const home = homePath ? connect(homePath, 'computing') : undefined;
    let worker: Connection | undefined;
    try {
      worker = workerPath ? connect(workerPath, 'worker') : undefined;
      const where = namespace ?? home?.namespace ?? 'default';
      const explanation = await explain({ home, worker }, called, where, io.now());
      io.out(
        options.output === 'json' ? `${JSON.stringify(explanation, undefined, 2)}\n` : explanationText(explanation),
      );
    } finally {
      home?.close();
      worker?.close();
    }
  },
};

type Explainer = (clusters: Clusters, name: string, namespace: string, now: Date) => Promise<Explanation>;

const explainers: Record<string, Explainer | undefined> = {
  async node(clusters, name, _namespace, now) {
    const facts = await readFacts(clusters, now);
    const other = await strangerTo(bindingOfVnode(name, facts), clusters);
    if (other !== undefined) delete facts.worker;
    const node = workerNodeOf(name, facts);
    if (node !== undefined && clusters.worker && facts.worker) {
      facts.worker.podsOnNode = await readPodsOn(clusters.worker, node);
    }
    const explanation = explainNode(name, facts);
    if (!explanation) return notFound(`vnode or worker node ${name}`, clusters, factUnknowns(facts));
    return withUnknown(explanation, other);
  },
  async pod(clusters, name, namespace, now) {
    const facts = await readPod(clusters.home, clusters.worker, namespace, name, now);
    const other = await strangerTo(valueOr(facts.home?.binding, undefined), clusters);
    if (other !== undefined) delete facts.worker;
    // The zone only words the times; the facts are absolute.
    const explanation = explainPod(facts, 'UTC');
    if (!explanation) {
      return notFound(`pod ${namespace}/${name}`, clusters, unknowns(facts.home?.pod, facts.worker?.pod));
    }
    return withUnknown(explanation, other);
  },
  async policy(clusters, name, _namespace, now) {
    if (!clusters.worker) throw new Failure('policies live in the worker cluster: give --worker-kubeconfig');
    const { worker, ...facts } = await readFacts(clusters, now);
    if (!worker) throw new Failure('policies live in the worker cluster: give --worker-kubeconfig');
    return (
      explainPolicy(name, { ...facts, worker }) ??
      notFound(`ResourceLeasingPolicy ${name}`, { ...clusters, home: undefined }, unknowns(worker.policies))
    );
  },
};

/** The binding of a vnode of that name. */
function bindingOfVnode(name: string, { home }: Facts): ClusterBinding | undefined {
  const vnode = valueOr(home?.vnodes, []).find(({ metadata }) => metadata.name === name);
  const label = vnode?.metadata.labels?.[Label.clusterBinding];
  if (label === undefined) return undefined;
  return valueOr(home?.bindings, []).find(({ metadata }) => labelValue(metadata.name) === label);
}

/** That the worker cluster which was given is another than the binding's, in words. */
async function strangerTo(binding: ClusterBinding | undefined, { worker }: Clusters): Promise<string | undefined> {
  return binding && worker && otherWorker(worker, binding);
}

function withUnknown(explanation: Explanation, text: string | undefined): Explanation {
  return text === undefined ? explanation : { ...explanation, unknown: [...explanation.unknown, text] };
}

/** `NAME`, in the namespace of the flag if there is one, or `NAMESPACE/NAME`. */
function podName(given: string, flag: string | undefined): { namespace?: string; name: string } {
  const parts = given.split('/');
  if (parts.length > 2) throw new OptionError(`"${given}" is no name of a pod: give NAME or NAMESPACE/NAME`);
  const [name = '', namespace = flag] = parts.toReversed();
  if (namespace === undefined) return { name };
  refuseBadName(namespace, 'namespace');
  return { namespace, name };
}

async function readFacts({ home, worker }: Clusters, now: Date): Promise<Facts> {
  const [homeFacts, workerFacts] = await Promise.all([home && readHome(home), worker && readWorker(worker)]);
  // One cluster that answers is enough for an answer.
  if (!homeFacts || !workerFacts) failIfSilent(homeFacts ?? workerFacts);
  return { now, ...(homeFacts && { home: homeFacts }), ...(workerFacts && { worker: workerFacts }) };
}

function factUnknowns({ home, worker }: Facts): string[] {
  return unknowns(home?.vnodes, worker?.nodes, worker?.records);
}

/** Only what could be read, and was not found, is not there. */
function notFound(what: string, { home, worker }: Clusters, unread: string[]): never {
  const where = [home && `the computing cluster (${home.server})`, worker && `the worker cluster (${worker.server})`];
  const looked = where.filter((one) => one !== undefined);
  if (unread.length > 0) {
    throw new Failure([`whether there is a ${what} in ${looked.join(' or in ')} cannot be known`, ...unread]);
  }
  const more = home && !worker ? ['The worker cluster was not asked: give --worker-kubeconfig.'] : [];
  throw new Failure([`there is no ${what} in ${looked.join(' nor in ')}`, ...more]);
}
