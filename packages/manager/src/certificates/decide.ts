/**
 * Whether a certificate request is a proxier's and asks for its own pod's address and nothing else: pure. The signer
 * kubernetes.io/kubelet-serving has rules of its own about names and usages
 * (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/), which are held here too.
 */
import { type ClusterBinding, KubeletServingSigner, Namespace, proxierName } from '@kubeocean/shared/api';
import { type KubeObject, messageOf } from '@kubeocean/shared/kube';
import { holderOf } from '../bindings/validate.ts';
import { canonicalIP, type CertificateRequest, parseCertificateRequest } from './pkcs10.ts';

export interface SigningRequest extends KubeObject {
  spec: {
    /** Base64 of a PEM. */
    request: string;
    signerName: string;
    usages?: string[];
    username?: string;
    groups?: string[];
    /** Of a token bound to a pod: that pod's name and UID. */
    extra?: Record<string, string[]>;
  };
  status?: { conditions?: { type: string }[]; certificate?: string };
}

export type Decision =
  | { verdict: 'ignore' }
  | { verdict: 'approve' | 'deny'; message: string }
  /** The pod's address is not in the API yet: the proxier is faster than its kubelet's report. */
  | { verdict: 'wait'; message: string };

const ACCOUNT = `system:serviceaccount:${Namespace.system}:`;
const NODE = 'system:node:';
const POD = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const ORGANIZATION = 'system:nodes';
const USAGES = new Set(['digital signature', 'key encipherment', 'server auth']);
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/** clusterID of the proxier whose ServiceAccount made the request; undefined when nobody of ours did. */
export function requestorOf(csr: SigningRequest): string | undefined {
  const prefix = ACCOUNT + proxierName('');
  const { username = '' } = csr.spec;
  return username.startsWith(prefix) && username.length > prefix.length ? username.slice(prefix.length) : undefined;
}

/** Name of the pod that the request is for, as its common name says; undefined when that is no name of a pod. */
export function podNameOf({ spec }: SigningRequest): string | undefined {
  try {
    const [commonName = ''] = parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('utf8')).commonNames;
    const name = commonName.slice(NODE.length);
    return commonName.startsWith(NODE) && POD.test(name) ? name : undefined;
  } catch {
    // Whoever decides says what is wrong with it.
    return undefined;
  }
}

/**
 * @param pod that of {@link podNameOf} in our namespace, read from the API server just now.
 */
export function decide(csr: SigningRequest, bindings: Iterable<ClusterBinding>, pod: KubeObject | undefined): Decision {
  const { spec, status } = csr;
  const clusterID = requestorOf(csr);
  if (clusterID === undefined || spec.signerName !== KubeletServingSigner) return { verdict: 'ignore' };
  if (status?.certificate || (status?.conditions ?? []).length > 0) return { verdict: 'ignore' };
  const deny = (message: string): Decision => ({
    verdict: 'deny',
    message: `refused by kubeocean-manager: ${message}`,
  });

  const binding = holderOf(clusterID, bindings);
  if (!binding) return deny(`no ClusterBinding has clusterID "${clusterID}"`);
  let request: CertificateRequest;
  try {
    request = parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('utf8'));
  } catch (error) {
    return deny(`the request cannot be read: ${messageOf(error)}`);
  }
  const wrong = wrongUsages(spec.usages ?? []) ?? wrongNames(request);
  if (wrong) return deny(wrong);

  const podName = (request.commonNames[0] ?? '').slice(NODE.length);
  const claimed = { name: spec.extra?.[POD_NAME]?.[0], uid: spec.extra?.[POD_UID]?.[0] };
  if (claimed.name !== undefined && claimed.name !== podName) {
    return deny(`the common name is of pod "${podName}", but pod "${claimed.name}" asks`);
  }
  const account = proxierName(clusterID);
  const missing = `there is no pod "${podName}" of ${account} in ${Namespace.system}`;
  if (pod?.metadata.name !== podName || pod.metadata.deletionTimestamp) return { verdict: 'wait', message: missing };
  if (claimed.uid !== undefined && claimed.uid !== pod.metadata.uid) {
    return deny(`pod "${podName}" is another one by now (UID ${pod.metadata.uid})`);
  }
  const podSpec = (pod['spec'] ?? {}) as { serviceAccountName?: string; hostNetwork?: boolean };
  if (podSpec.serviceAccountName !== account) return deny(`pod "${podName}" does not run as ServiceAccount ${account}`);
  if (podSpec.hostNetwork) return deny(`pod "${podName}" has the address of its node (hostNetwork)`);
  const podStatus = (pod['status'] ?? {}) as { phase?: string; podIP?: string; podIPs?: { ip: string }[] };
  const addresses = [podStatus.podIP ?? '', ...(podStatus.podIPs ?? []).map(({ ip }) => ip)]
    .filter((ip) => ip !== '')
    .map(canonicalIP);
  if (addresses.length === 0) return { verdict: 'wait', message: `pod "${podName}" has no address yet` };
  if (podStatus.phase === 'Succeeded' || podStatus.phase === 'Failed') return deny(`pod "${podName}" has ended`);
  const foreign = request.ipAddresses.find((ip) => !addresses.includes(ip));
  if (foreign !== undefined) return deny(`${foreign} is not an address of pod "${podName}" (${addresses.join(', ')})`);
  return {
    verdict: 'approve',
    message: `serving certificate of pod ${podName}, proxier of ClusterBinding ${binding.metadata.name}`,
  };
}

function wrongUsages(usages: readonly string[]): string | undefined {
  const unknown = usages.find((usage) => !USAGES.has(usage));
  if (unknown !== undefined) return `the usage "${unknown}" is not for serving`;
  return usages.includes('server auth') ? undefined : 'the usage "server auth" is missing';
}

function wrongNames(request: CertificateRequest): string | undefined {
  const { commonNames, organizations, otherSubject, dnsNames, ipAddresses, otherNames } = request;
  const [commonName] = commonNames;
  if (commonNames.length !== 1 || !commonName?.startsWith(NODE) || commonName === NODE) {
    return `the common name must be ${NODE}<pod>, not "${commonNames.join('", "')}"`;
  }
  if (organizations.length !== 1 || organizations[0] !== ORGANIZATION) {
    return `the organization must be ${ORGANIZATION}, not "${organizations.join('", "')}"`;
  }
  if (otherSubject.length > 0) return `the subject has parts that do not belong there (${otherSubject.join(', ')})`;
  if (dnsNames.length > 0) return `DNS names are not certified: "${dnsNames.join('", "')}"`;
  if (otherNames > 0) return 'only IP addresses are certified, no e-mail addresses, URIs or other names';
  return ipAddresses.length > 0 ? undefined : 'no IP address is asked for';
}
