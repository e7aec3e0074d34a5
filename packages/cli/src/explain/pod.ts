/** `explain pod`: a home pod, its counterpart in the worker cluster, and the lease that both stand on. Pure. */
import { Annotation, firstFew, Label, PodCondition, TaintKey } from '@kubeocean/shared/api';
import { eventTexts } from './event-words.ts';
import { type ExplainedPod, type Explanation, type PodFacts, unknowns, valueOr } from './facts.ts';
import { recordNext, recordText } from './lease-words.ts';
import { sentence } from './sentences.ts';
import { isOnVnode, readyText, taintTexts } from './vnode-words.ts';
import { judge, zoneOf } from './world.ts';

/** So many NetworkPolicies are named. */
const NamedPolicies = 5;

/** Undefined when neither cluster has the pod. `zone`: for times, of policies that name none. */
export function explainPod(facts: PodFacts, zone: string): Explanation | undefined {
  const { home, worker, namespace, name } = facts;
  const pod = valueOr(home?.pod, undefined);
  const counterpart = valueOr(worker?.pod, undefined);
  if (!pod && !counterpart) return undefined;
  // What cannot be known may be so: then the counterpart is looked for, too.
  const onVnode = pod ? isOnVnode(home) : true;
  const mayHaveCounterpart = onVnode !== false && pod?.spec.nodeName !== undefined;
  // What a namesake waits for is not what this pod waits for.
  const own = pod && !isIts(counterpart, pod) ? undefined : counterpart;
  const record = valueOr(worker?.record, undefined);
  const policy = valueOr(worker?.policy, undefined);
  const judged = policy && judge(policy, facts.now, zone);
  return {
    kind: 'pod',
    name: `${namespace}/${name}`,
    summary: `Pod ${namespace}/${name}: ${stateAtHome(facts)}${onVnode === false ? ', on an ordinary node, not on a vnode' : ''}.`,
    now: [
      ...(pod?.spec.nodeName ? [`At home it is bound to ${pod.spec.nodeName}${nodeState(facts)}.`] : []),
      ...(pod && mayHaveCounterpart ? counterpartTexts(facts, pod, counterpart) : []),
      ...(pod && (onVnode || own) ? networkTexts(facts) : []),
      ...(!pod && counterpart ? [`In the worker: ${workerText(counterpart)}.`] : []),
      ...(record ? [sentence(`the worker node ${record.spec.nodeName}: ${recordText(record)}`)] : []),
    ],
    why: [...(pod ? whyTexts(pod, facts) : []), ...(own ? containerTexts(own) : [])],
    next: [
      ...(pod ? nextTexts(pod, counterpart, facts) : []),
      ...(record ? recordNext(record, judged?.spec, judged ? zoneOf(judged, { zone }) : zone, facts.now) : []),
    ],
    events: [
      ...eventTexts('home', valueOr(home?.events, []), facts.now),
      ...(own ? eventTexts('worker', valueOr(worker?.events, []), facts.now) : []),
    ],
    unknown: [
      ...(home
        ? unknowns(home.pod, home.node, home.binding, home.vnodes, home.events, home.networkPolicies)
        : ['What the computing cluster shows of it: give --kubeconfig.']),
      ...(worker
        ? unknowns(worker.pod, worker.events, worker.record, worker.policy)
        : mayHaveCounterpart
          ? ['How its counterpart in the worker cluster is, and when the lease ends: give --worker-kubeconfig.']
          : []),
    ],
  };
}

function stateAtHome({ home }: PodFacts): string {
  const pod = valueOr(home?.pod, undefined);
  if (pod) return stateText(pod);
  return home && 'unknown' in home.pod ? 'how it is at home cannot be seen' : 'not seen at home';
}

function stateText({ metadata, status }: ExplainedPod): string {
  const phase = status?.phase ?? 'without a status';
  const reason = status?.reason ? ` (${status.reason})` : '';
  const leaving = metadata.deletionTimestamp ? ', being deleted' : '';
  const isReady = status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  // A DaemonSet's pod that is not run shows Ready for its DaemonSet's sake alone.
  const ready = isReady && phase === 'Running' ? ' and Ready' : '';
  return `${phase}${reason}${ready}${leaving}`;
}

function nodeState({ home }: PodFacts): string {
  const node = valueOr(home?.node, undefined);
  if (node) return `, which is ${readyText(node)}`;
  return home && 'value' in home.node ? ', which does not exist (any more)' : '';
}

function counterpartTexts({ worker }: PodFacts, home: ExplainedPod, counterpart: ExplainedPod | undefined): string[] {
  if (!worker) {
    const { annotations = {} } = home.metadata;
    const name = annotations[Annotation.physicalPodName];
    return name
      ? [`Its counterpart, as home last showed it: ${annotations[Annotation.physicalPodNamespace]}/${name}.`]
      : [];
  }
  if (counterpart) {
    const uid = counterpart.metadata.annotations?.[Annotation.virtualPodUID];
    if (isIts(counterpart, home)) return [`Its counterpart in the worker: ${workerText(counterpart)}.`];
    const whose = isPredecessor(counterpart, home)
      ? 'was made for an earlier pod of this name: once it is gone, this one gets its own'
      : `was not made for this one (its annotation ${Annotation.virtualPodUID} is ${uid ?? 'missing'}); it is left alone`;
    return [`Where its counterpart belongs, the worker has ${workerText(counterpart)}.`, `That pod ${whose}.`];
  }
  if (!('value' in worker.pod)) return [];
  const ended = home.status?.phase === 'Succeeded' || home.status?.phase === 'Failed';
  return [
    `The worker cluster has no pod ${worker.where ?? 'for it'}${ended ? ', as it should be: this pod has ended' : ' yet, or any more'}.`,
  ];
}

function isIts(counterpart: ExplainedPod | undefined, { metadata }: ExplainedPod): boolean {
  return counterpart !== undefined && counterpart.metadata.annotations?.[Annotation.virtualPodUID] === metadata.uid;
}

/** Made by us for another pod of this name, as our syncer sees it (packages/syncer/src/pods/writes/ownership.ts, `namesake`). */
function isPredecessor({ metadata: { labels, annotations = {} } }: ExplainedPod, home: ExplainedPod): boolean {
  return (
    labels?.[Label.bindingUID] !== undefined &&
    annotations[Annotation.virtualPodUID] !== undefined &&
    annotations[Annotation.virtualPodName] === home.metadata.name &&
    annotations[Annotation.virtualPodNamespace] === home.metadata.namespace
  );
}

/** The policies of home that would isolate it on a node of home. */
function networkTexts({ home }: PodFacts): string[] {
  const names = valueOr(home?.networkPolicies, []);
  if (names.length === 0) return [];
  return [
    `Not enforced for it: ${names.length === 1 ? 'NetworkPolicy' : 'NetworkPolicies'} ${firstFew(names, NamedPolicies)}. It runs in a worker cluster, whose owner decides what reaches it there.`,
  ];
}

function workerText(pod: ExplainedPod): string {
  const { namespace, name } = pod.metadata;
  return `${namespace}/${name}, ${stateText(pod)}, ${pod.spec.nodeName ? `on node ${pod.spec.nodeName}` : 'not scheduled yet'}`;
}

/** Conditions that say why it does not run, or why it ended. */
function whyTexts(pod: ExplainedPod, { home }: PodFacts): string[] {
  const { status, spec } = pod;
  const ended = status?.message && status.phase === 'Failed' ? [sentence(status.message)] : [];
  const told = (status?.conditions ?? []).flatMap(({ type, status: value, reason, message }) => {
    const bad =
      type === PodCondition.disruptionTarget || type === PodCondition.notRun || type === PodCondition.refused
        ? value === 'True'
        : type === 'PodScheduled' && value === 'False';
    // A pod that its lease ended says the same in both places.
    const said = ended.length > 0 && message === status?.message;
    return bad && !said ? [`${type} (${reason ?? 'no reason'}): ${message ?? 'no message'}`] : [];
  });
  const node = valueOr(home?.node, undefined);
  const taints =
    node && status?.phase === 'Pending' ? taintTexts(node).filter((text) => !text.includes(`${TaintKey.vnode}:`)) : [];
  if (spec.nodeName) return [...ended, ...told, ...taints];
  return [...ended, ...told, ...tolerationTexts(pod, valueOr(home?.vnodes, undefined))];
}

/** A pod without a node that no vnode may take. `vnodes`: undefined when it is not known how many there are. */
function tolerationTexts({ spec }: ExplainedPod, vnodes: number | undefined): string[] {
  if (vnodes === 0) return ['There is no vnode in the computing cluster.'];
  const tolerated = (spec.tolerations ?? []).some(
    ({ key, effect, operator, value }) =>
      (operator === 'Exists' ? !key || key === TaintKey.vnode : key === TaintKey.vnode && !value) &&
      (!effect || effect === 'NoSchedule'),
  );
  return tolerated
    ? []
    : [
        `It does not tolerate ${TaintKey.vnode}:NoSchedule, which vnodes have by default: add {key: ${TaintKey.vnode}, operator: Exists} to its tolerations.`,
      ];
}

function containerTexts({ status, metadata }: ExplainedPod): string[] {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const waiting = statuses.flatMap(({ name, state }) =>
    state?.waiting?.reason
      ? [
          `Container ${name} waits in the worker: ${state.waiting.reason}${state.waiting.message ? `: ${state.waiting.message}` : ''}`,
        ]
      : [],
  );
  const unscheduled = (status?.conditions ?? [])
    .filter(({ type, status: value }) => type === 'PodScheduled' && value === 'False')
    .map(({ reason, message }) => `The worker's scheduler has not placed ${metadata.name} (${reason}): ${message}`);
  return [...unscheduled, ...waiting];
}

function nextTexts(pod: ExplainedPod, counterpart: ExplainedPod | undefined, { home, worker }: PodFacts): string[] {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded') return ['It has ended and is never run again.'];
  if (phase === 'Failed') return ['It has ended and is never run again; its controller, if it has one, makes another.'];
  if (pod.metadata.deletionTimestamp) {
    if (isOnVnode(home) === false) return [];
    if (isIts(counterpart, pod)) return ['It goes once its containers in the worker have ended.'];
    return worker && 'value' in worker.pod ? ['Nothing of it is left in the worker: it goes at once.'] : [];
  }
  if (!pod.spec.nodeName) return ['The scheduler of the computing cluster tries again whenever something changes.'];
  const notRun = pod.status?.conditions?.some(({ type, status }) => type === PodCondition.notRun && status === 'True');
  if (notRun) return ['It stays Pending and is not run here.'];
  const refused = pod.status?.conditions?.some(
    ({ type, status }) => type === PodCondition.refused && status === 'True',
  );
  if (refused) return ['The syncer tries again by itself, ever more rarely, at most 5 min apart.'];
  const isLent = valueOr(home?.node, undefined)?.metadata.labels?.[Label.clusterBinding] !== undefined;
  if (isLent && worker && 'value' in worker.pod && !counterpart) {
    return [
      'The syncer makes the counterpart when what the pod refers to is there and the lease is open; its last words are among the events.',
    ];
  }
  return [];
}
