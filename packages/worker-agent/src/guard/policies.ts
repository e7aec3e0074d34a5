/** Whether the API server holds tenants to what is lent: the chart's admission policies are there and in force. Pure. */
import { ChartName } from '@kubeocean/shared/api';
import type { KubeObject } from '@kubeocean/shared/kube';
import type { Allocation } from '@kubeocean/shared/lease';

/** admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy, as far as it is read. */
export interface AdmissionPolicy extends KubeObject {
  spec?: { failurePolicy?: string };
}

/** admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding, as far as it is read. */
export interface AdmissionPolicyBinding extends KubeObject {
  spec?: { policyName?: string; validationActions?: string[] };
}

/** What is wrong, for the owner; undefined when all is well. */
export function guardProblem(
  policies: Iterable<AdmissionPolicy>,
  bindings: Iterable<AdmissionPolicyBinding>,
): string | undefined {
  const byName = new Map([...policies].map((policy) => [policy.metadata.name, policy]));
  const denied = new Set(
    [...bindings]
      .filter(({ metadata, spec }) => spec?.policyName === metadata.name && spec.validationActions?.includes('Deny'))
      .map(({ metadata }) => metadata.name),
  );
  for (const name of ChartName.admissionPolicies) {
    const policy = byName.get(name);
    const repair = 'install the chart kubeocean-worker again';
    if (!policy) return `the ValidatingAdmissionPolicy ${name} is missing; ${repair}`;
    // Fail is the default of the API server.
    if ((policy.spec?.failurePolicy ?? 'Fail') !== 'Fail') {
      return `the ValidatingAdmissionPolicy ${name} lets requests pass when it fails; ${repair}`;
    }
    if (!denied.has(name)) {
      return `no ValidatingAdmissionPolicyBinding ${name} with the action Deny puts the policy of that name in force; ${repair}`;
    }
  }
  return undefined;
}

/**
 * The allocation without leases that have not begun: nothing new is lent while nobody holds tenants to it. What is lent
 * already stays, since running pods should not pay for a mistake in a chart. `runs` says whether there is a record by the key
 * that is not Closed: one that is closed was ended, and opening it anew would lend something new.
 */
export function withholdNew(allocation: Allocation, runs: (key: string) => boolean): Allocation {
  const open = allocation.open.filter(({ namespace, name }) => runs(`${namespace}/${name}`));
  const lent = new Set(open.map(({ namespace, spec }) => `${namespace} ${spec.cluster} ${spec.nodeName}`));
  const policies = allocation.policies.map((outcome) => {
    const { cluster } = outcome.spec ?? outcome.policy.spec;
    const namespace = outcome.claim.served?.namespace;
    const isLent = (node: string) => lent.has(`${namespace} ${cluster} ${node}`);
    const nodes = outcome.nodes.filter(isLent);
    const closing = new Map([...outcome.closing].filter(([node]) => isLent(node)));
    const shrunk = new Map([...outcome.shrunk].filter(([node]) => isLent(node)));
    // Amounts are sums over nodes, some of which are not lent now.
    return { ...outcome, nodes, closing, shrunk, ...(nodes.length < outcome.nodes.length && { account: new Map() }) };
  });
  return { ...allocation, open, policies };
}
