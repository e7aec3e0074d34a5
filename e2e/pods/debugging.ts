/** What debugging a pod on a vnode needs beside the rig: a proxier that serves the vnode; and an owner who forbids it. */
import { Namespace, proxierName } from '@kubeocean/shared/api';
import { EndpointSlices, Pods } from '@kubeocean/shared/kube';
import { cleanup, kubectl, kubeconfigOf, startProcess, waitFor } from '../harness/index.ts';
import { addressFacing } from '../proxier/objects.ts';
import { LONG, type PodRig } from './helpers.ts';

/** A proxier for the rig's vnode, where home's API server reaches it. */
export async function serveVnodes(rig: PodRig): Promise<void> {
  const { clusterID } = (await rig.binding()).spec;
  const name = proxierName(clusterID);
  const host = addressFacing(rig.home.transport.server);
  const metadata = {
    name: `${name}-test`,
    namespace: Namespace.system,
    labels: { 'kubernetes.io/service-name': name },
  };
  await rig.home
    .create(EndpointSlices, {
      metadata,
      addressType: 'IPv4',
      endpoints: [{ addresses: [host], conditions: { ready: true } }],
      ports: [],
    })
    .catch(() => undefined);
  cleanup(() => rig.home.delete(EndpointSlices, Namespace.system, metadata.name));
  const proxier = startProcess(
    'proxier',
    [
      `--cluster-binding-name=${rig.bindingName}`,
      `--kubeconfig=${kubeconfigOf('computing')}`,
      `--worker-kubeconfig=${kubeconfigOf('worker-1')}`,
      `--listen-address=${host}`,
      '--serving-certificate=csr',
    ],
    { POD_NAME: `${name}-0`, POD_NAMESPACE: Namespace.system, POD_IP: host },
  );
  await waitFor(
    'its certificate',
    async () => {
      const { stdout } = await kubectl(
        'computing',
        ['get', 'csr', '-l', `kubeocean.io/cluster-binding=${rig.bindingName}`, '-o', 'name'],
        { anyExit: true },
      );
      const names = stdout.split('\n').filter((each) => each !== '');
      if (names.length === 0) return false;
      await kubectl('computing', ['certificate', 'approve', ...names]);
      return true;
    },
    LONG,
  );
  await proxier.waitReady(60_000);
  await waitFor(
    'the vnode’s address',
    async () => {
      const { stdout } = await kubectl('computing', ['get', 'node', rig.vnode, '-o', 'jsonpath={.status.addresses}']);
      return stdout.includes(host);
    },
    LONG,
  );
}

/** Nobody debugs in the mount namespace any more, says its owner. */
export async function refuseDebugging(rig: PodRig): Promise<string> {
  const name = `no-debugging-${rig.mountNamespace}`;
  const yaml = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: ${name}}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${rig.mountNamespace}}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [pods/ephemeralcontainers]}]
  validations: [{expression: "false", message: no debugging in ${name}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: ${name}}
spec: {policyName: ${name}, validationActions: [Deny]}
`;
  cleanup(() => kubectl('worker-1', ['delete', '--ignore-not-found', '-f', '-'], { input: yaml }));
  await kubectl('worker-1', ['apply', '-f', '-'], { input: yaml });
  const probe = 'probe';
  await rig.worker
    .create(Pods, {
      metadata: { name: probe, namespace: rig.mountNamespace },
      spec: { containers: [{ name: 'main', image: 'busybox:1.35', command: ['sleep', '1'] }], nodeName: 'none' },
    })
    .catch(() => undefined);
  cleanup(() => rig.worker.delete(Pods, rig.mountNamespace, probe, { gracePeriodSeconds: 0 }).catch(() => undefined));
  await waitFor(
    'the policy in force',
    async () => {
      const ephemeralContainers = [{ name: 'x', image: 'busybox:1.35' }];
      const options = { subresource: 'ephemeralcontainers', type: 'strategic', dryRun: true } as const;
      const error = await rig.worker
        .patch(Pods, rig.mountNamespace, probe, { spec: { ephemeralContainers } }, options)
        .catch(String);
      if (typeof error === 'string' && error.includes('no debugging')) return true;
      throw new Error(JSON.stringify(error));
    },
    LONG,
  );
  return name;
}
