/** From what gocrane/kubeocean left to the writes by which one binding's share becomes ours. Pure. */
import {
  Annotation,
  ChartName,
  Finalizer,
  Label,
  labelValue,
  ManagedByValue,
  migratedWorkerName,
  Namespace,
  proxierName,
  ResourceLeasingPolicies,
} from '@kubeocean/shared/api';
import {
  ClusterRoleBindings,
  CSINodes,
  Deployments,
  type Json,
  type KubeObject,
  Nodes,
  type ObjectMeta,
  Pods,
  PriorityClasses,
  type Resource,
  Secrets,
  Services,
} from '@kubeocean/shared/kube';
import { Foreign, type Found, LogConfigs, type Plan, type Step } from './found.ts';
import { isTheirManager, isTheirWorkload, runningProcesses, selectorOf } from './processes.ts';
import { vnodePatch } from './vnode.ts';

/**
 * The order matters: first nobody of theirs may write any more, then the worker pods are ours, and only then the vnodes: on a
 * vnode of ours, a pod whose counterpart is not known counts as lost.
 */
export function planAdoption(found: Found): Plan {
  const { binding, servers, identity } = found;
  const waiting = waitingFor(found).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const { warnings } = identity;
  const plan: Plan = { servers, problems: problems(found), warnings: [...warnings], waiting, steps: [], left: [] };
  stopWorkloads(found, plan);
  adoptPods(found, plan);
  for (const vnode of found.vnodes.filter(isForeign)) {
    add(plan, 'computing', 'patch', Nodes, vnode, 'becomes a vnode of this binding', {
      patch: { type: 'merge', body: vnodePatch(vnode, binding) },
    });
  }
  tidyHome(found, plan);
  tidyWorker(found, plan);
  return plan;
}

/** Made by gocrane/kubeocean: whatever is ours names the binding it is for. */
function isForeign({ metadata: { labels } }: KubeObject): boolean {
  return labels?.[Label.managedBy] === ManagedByValue && labels[Label.bindingUID] === undefined;
}

function problems({ binding, identity, homePods, workerPods, adopted, servers }: Found): string[] {
  const { name, deletionTimestamp } = binding.metadata;
  const running = homePods.filter((pod) => isRunning(pod) && !isPlaceholder(pod));
  const known = new Set(workerPods.map(({ metadata }) => metadata.annotations?.[Annotation.virtualPodUID]));
  const strange =
    running.length > 0 && !running.some(({ metadata: { uid } }) => known.has(uid) || adopted.has(uid ?? ''));
  return [
    ...(deletionTimestamp ? [`ClusterBinding ${name} is being deleted: there is nothing to take over`] : []),
    ...identity.problems,
    ...secretProblems(binding),
    ...(strange
      ? [
          `${running.length} pods of the computing cluster run on vnodes of this binding, and the namespace ${binding.spec.mountNamespace} of --worker-kubeconfig (${servers.worker}) has the counterpart of none: is it the right cluster? If it is, they are lost: delete them, then run this again`,
        ]
      : []),
  ];
}

/** Theirs read it from anywhere. Ours would not start, and pods be evicted as soon as nobody renews the vnodes' Leases. */
function secretProblems({ metadata, spec }: Found['binding']): string[] {
  const { namespace, name } = spec.secretRef;
  if (namespace === Namespace.system) return [];
  const patch = `{"spec":{"secretRef":{"namespace":"${Namespace.system}"}}}`;
  return [
    `spec.secretRef of ClusterBinding ${metadata.name} names a Secret in ${namespace}, and ours takes those in ${Namespace.system} only: copy ${namespace}/${name} there, then: kubectl patch clusterbinding ${metadata.name} --type=merge -p '${patch}'`,
  ];
}

function isRunning({ status }: KubeObject): boolean {
  return (status as { phase?: string } | undefined)?.phase === 'Running';
}

/** Pods of all its processes, also of those whose Deployments are gone. */
function waitingFor({ binding, deployments, pods }: Found): KubeObject[] {
  const { clusterID } = binding.spec;
  const stopped = deployments.filter((object) => isTheirManager(object) || isTheirWorkload(object, clusterID));
  return runningProcesses(pods, clusterID, stopped.map(selectorOf));
}

function stopWorkloads(found: Found, plan: Plan): void {
  const { binding, deployments, services, certificate, managerBinding } = found;
  const { clusterID } = binding.spec;
  // Neither what a Deployment selects nor what a binding of roles refers to can be changed: the chart makes its own.
  for (const object of deployments.filter(isTheirManager)) {
    const why = 'would make its syncers again, and stands in the way of the chart';
    add(plan, 'computing', 'delete', Deployments, object, why, { awaitPods: selectorOf(object) });
  }
  const { roleRef } = (managerBinding ?? {}) as { roleRef?: { name?: string } };
  if (managerBinding && roleRef?.name !== ChartName.manager) {
    add(plan, 'computing', 'delete', ClusterRoleBindings, managerBinding, 'stands in the way of the chart');
  }
  for (const object of deployments.filter((one) => isTheirWorkload(one, clusterID))) {
    add(plan, 'computing', 'delete', Deployments, object, 'must not write beside ours', {
      awaitPods: selectorOf(object),
    });
  }
  for (const object of services) {
    if (object.metadata.name !== `${proxierName(clusterID)}-svc`) continue;
    add(plan, 'computing', 'delete', Services, object, 'served its proxier');
  }
  const isBrought = certificate?.metadata.name === binding.metadata.annotations?.[Foreign.ownCertificate];
  if (certificate && !isBrought) {
    add(plan, 'computing', 'delete', Secrets, certificate, 'held the key of its proxier');
  }
}

function adoptPods({ binding, homePods, workerPods, adopted, useTheirs, vnodes }: Found, plan: Plan): void {
  const { name, uid = '' } = binding.metadata;
  const names = new Set(vnodes.map(({ metadata }) => metadata.name));
  const byUID = new Map(homePods.map((pod) => [pod.metadata.uid, pod]));
  const followed = new Set<string | undefined>(adopted);
  let copies = useTheirs;
  for (const pod of workerPods) {
    const { annotations = {} } = pod.metadata;
    const home = byUID.get(annotations[Annotation.virtualPodUID] ?? '');
    // Of another binding that shares the namespace.
    if (!home && !names.has(annotations[Annotation.virtualNodeName] ?? '')) continue;
    if (!isForeign(pod)) continue;
    copies = true;
    const where = `${pod.metadata.namespace}/${pod.metadata.name}`;
    if (!home || !agrees(pod.metadata, home.metadata)) {
      plan.left.push(
        `worker: pod ${where} has no counterpart in the computing cluster any more; it goes on until somebody deletes it`,
      );
      continue;
    }
    followed.add(home.metadata.uid);
    const metadata = {
      uid: pod.metadata.uid,
      labels: { [Label.clusterBinding]: labelValue(name), [Label.bindingUID]: uid },
      annotations: { [Annotation.virtualNodeName]: (home['spec'] as { nodeName: string }).nodeName },
      ...(!pod.metadata.deletionTimestamp && { finalizers: [Finalizer.homeSync] }),
    };
    add(plan, 'worker', 'patch', Pods, pod, 'goes on as it is, followed by our syncer', {
      patch: { type: 'strategic', body: { metadata } },
    });
  }
  for (const home of homePods) {
    if (!isRunning(home) || followed.has(home.metadata.uid) || isPlaceholder(home)) continue;
    plan.left.push(
      `computing: pod ${home.metadata.namespace}/${home.metadata.name} is shown to run and has no counterpart in the worker: it will be Failed (WorkerPodLost), for its controller to make another`,
    );
  }
  if (copies) {
    const { mountNamespace } = binding.spec;
    plan.left.push(
      `worker: copies of ConfigMaps and Secrets that adopted pods use no longer follow the computing cluster, and their tokens are not renewed: restart those pods when it suits. Afterwards: kubectl -n ${mountNamespace} delete configmap,secret -l '${Label.managedBy}=${ManagedByValue},!${Label.bindingUID}'`,
    );
  }
}

/** Everything that says whose counterpart the worker pod is says the same, its name too. */
function agrees({ name, annotations = {} }: ObjectMeta, home: ObjectMeta): boolean {
  const { namespace = '' } = home;
  return (
    annotations[Annotation.virtualPodNamespace] === namespace &&
    annotations[Annotation.virtualPodName] === home.name &&
    name === migratedWorkerName(namespace, home.name)
  );
}

function isPlaceholder({ metadata }: KubeObject): boolean {
  return metadata.namespace === Foreign.placeholderNamespace && metadata.labels?.[Foreign.placeholderLabel] === 'true';
}

function tidyHome({ binding, csiNodes, homePods, copied, logConfigsUnread }: Found, plan: Plan): void {
  const { clusterID } = binding.spec;
  for (const object of csiNodes.filter(isForeign)) {
    add(plan, 'computing', 'delete', CSINodes, object, 'no driver of the worker is asked for by home');
  }
  for (const object of homePods.filter(isPlaceholder)) {
    const why = 'only held ports of a worker node';
    add(plan, 'computing', 'delete', Pods, object, why, { gracePeriodSeconds: 0 });
  }
  for (const { resource, object } of copied) {
    const { labels = {}, annotations = {}, finalizers = [], uid, resourceVersion } = object.metadata;
    const own = `${Foreign.copiedLabel}${clusterID}`;
    const others = Object.keys(labels).some((key) => key.startsWith(Foreign.copiedLabel) && key !== own);
    const gone = [own, ...(others ? [] : [Label.managedBy])].filter((key) => key in labels);
    const forgotten = [`${Foreign.deletingAnnotation}${clusterID}`, ...(others ? [] : Foreign.copiedAnnotations)];
    const body = {
      metadata: {
        uid,
        resourceVersion,
        labels: nulls(gone),
        annotations: nulls(forgotten.filter((key) => key in annotations)),
        finalizers: finalizers.filter((one) => one !== `${Foreign.copiedFinalizer}${clusterID}`),
      },
    };
    const why = 'loses the finalizer that would keep it for ever';
    add(plan, 'computing', 'patch', resource, object, why, { patch: { type: 'merge', body } });
  }
  if (copied.some(({ resource }) => resource === LogConfigs)) {
    plan.left.push(
      `worker: LogConfigs that were made of those of the computing cluster stay, and go on collecting: kubectl delete logconfig -l ${Foreign.copiedLabel}${clusterID}=true`,
    );
  }
  if (logConfigsUnread !== undefined) {
    plan.left.push(
      `computing: LogConfigs cannot be read (${logConfigsUnread}); the finalizer ${Foreign.copiedFinalizer}${clusterID} would keep them for ever`,
    );
  }
}

function tidyWorker({ binding, policies, workerNodes, priorityClass }: Found, plan: Plan): void {
  // First: which of them are the binding's is told by the policies, and one that is being deleted goes with its finalizer.
  for (const node of workerNodes) {
    const { uid, labels } = node.metadata;
    const name = labels?.[Label.policyApplied];
    const applied = policies.find(({ metadata }) => metadata.name === name);
    const { cluster } = (applied?.['spec'] ?? {}) as { cluster?: string };
    if (cluster !== binding.metadata.name) continue;
    const body = { metadata: { uid, labels: nulls([Label.policyApplied]) } };
    add(plan, 'worker', 'patch', Nodes, node, 'what is lent is in the LeasedNodes now', {
      patch: { type: 'merge', body },
    });
  }
  for (const policy of policies) {
    const { finalizers = [], uid, resourceVersion } = policy.metadata;
    const { cluster } = (policy['spec'] ?? {}) as { cluster?: string };
    if (cluster !== binding.metadata.name || !finalizers.includes(Foreign.policyFinalizer)) continue;
    const rest = finalizers.filter((one) => one !== Foreign.policyFinalizer);
    add(plan, 'worker', 'patch', ResourceLeasingPolicies, policy, 'loses the finalizer that would keep it for ever', {
      patch: { type: 'merge', body: { metadata: { uid, resourceVersion, finalizers: rest } } },
    });
  }
  const owner = priorityClass?.metadata.labels?.[Label.appManagedBy];
  if (priorityClass && owner !== 'Helm') {
    const why = `the chart brings its own ${ChartName.workerPriorityClass}, which preempts nobody; pods keep their priority`;
    add(plan, 'worker', 'delete', PriorityClasses, priorityClass, why);
  }
}

function nulls(keys: readonly string[]): Json {
  return Object.fromEntries(keys.map((key) => [key, null]));
}

function add(
  plan: Plan,
  cluster: Step['cluster'],
  verb: Step['verb'],
  resource: Resource,
  { metadata: { namespace = '', name, uid = '' } }: KubeObject,
  why: string,
  more: Partial<Step> = {},
): void {
  plan.steps.push({ cluster, verb, resource, namespace, name, uid, why, ...more });
}
