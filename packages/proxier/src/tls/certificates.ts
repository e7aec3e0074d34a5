/**
 * Where the serving certificate of the vnodes' ports comes from: made here and self-signed, signed by the cluster on a
 * certificate request, or taken from mounted files. Each source goes on giving certificates until it is stopped.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubeletServingSigner, Label, labelValue, proxierName } from '@kubeocean/shared/api';
import {
  CertificateSigningRequests,
  type Condition,
  type KubeClient,
  type KubeObject,
  messageOf,
  sleep,
} from '@kubeocean/shared/kube';
import {
  certificateRequest,
  type KeyPair,
  newKeyPair,
  privateKeyPem,
  selfSignedCertificate,
} from '@kubeocean/shared/tls';

/** PEM texts, as a TLS server takes them. */
export interface ServingCertificate {
  cert: string;
  key: string;
}

/** Gives certificates to `use`, the first as soon as it can and others as they are due, until the signal aborts. */
export type CertificateSource = (use: (certificate: ServingCertificate) => void, signal: AbortSignal) => Promise<void>;

export interface CertificateOptions {
  clusterID: string;
  bindingName: string;
  /** Name and address of this pod: what the certificate is about. */
  podName: string;
  podIP: string;
  now: () => Date;
  /** Milliseconds, never going back. Default: those of the machine. */
  clock?: () => number;
  /** Waits so many milliseconds. Default: by the clock of the machine. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Told of each failure; the source goes on trying. */
  onError: (error: Error) => void;
}

const DAY_MS = 86_400_000;
/** How often it is looked whether a certificate is due: a machine that slept must not sleep through that. */
const LOOK_EVERY_MS = 3_600_000;
/** Certificates begin some minutes before they are made, for clocks that differ (kube-controller-manager: 5 minutes). */
const BACKDATED_MS = 5 * 60_000;
/** After one was had, no other is asked for sooner than this, whatever clocks and signers say. */
const LEAST_MS = 60_000;
/** How long a request waits for approval and signature before another one is made; the cluster forgets it in an hour. */
const SIGNATURE_WAIT_MS = 15 * 60_000;

/**
 * Waits until 80 % of a certificate's life is over. How old it is at first we know better than the clock of this machine,
 * which may be wrong by more than that life: it was made while we waited for it. From then on the clock only adds to the
 * time that has passed, which does not count while a machine sleeps.
 * @param waitedMs how long it took to get it
 */
async function untilRenewal(
  certificate: X509Certificate,
  waitedMs: number,
  { now, clock = () => performance.now(), wait = sleep }: CertificateOptions,
  signal: AbortSignal,
): Promise<void> {
  const [receivedAt, startedAt] = [now().getTime(), clock()];
  const from = certificate.validFromDate.getTime();
  const life = certificate.validToDate.getTime() - from;
  const age = Math.min(Math.max(receivedAt - from, 0), BACKDATED_MS + waitedMs);
  const dueMs = Math.max(life * 0.8 - age, LEAST_MS);
  for (let passed = 0; passed < dueMs; passed = Math.max(clock() - startedAt, now().getTime() - receivedAt)) {
    await wait(Math.min(dueMs - passed, LOOK_EVERY_MS), signal);
  }
}

/** A certificate of our own making, good for a year. For API servers that do not verify kubelet certificates. */
export function selfSigned(options: CertificateOptions): CertificateSource {
  return async (use, signal) => {
    while (!signal.aborted) {
      const key = newKeyPair();
      const now = options.now().getTime();
      const cert = selfSignedCertificate(
        {
          commonName: proxierName(options.clusterID),
          organizations: [],
          ips: [options.podIP],
          dnsNames: [proxierName(options.clusterID)],
        },
        key,
        new Date(now - 5 * 60_000),
        new Date(now + 365 * DAY_MS),
      );
      use({ cert, key: privateKeyPem(key) });
      await untilRenewal(new X509Certificate(cert), 0, options, signal);
    }
  };
}

/**
 * A certificate signed by the cluster's kubelet-serving signer. The manager approves the request; the key never leaves
 * this process. https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
 */
export function signedByCluster(client: KubeClient, options: CertificateOptions): CertificateSource {
  const { clock = () => performance.now() } = options;
  return async (use, signal) => {
    let waitMs = 5_000;
    while (!signal.aborted) {
      try {
        const key = newKeyPair();
        const askedAt = clock();
        const cert = await requestCertificate(client, options, key, signal);
        const waitedMs = clock() - askedAt;
        try {
          use({ cert, key: privateKeyPem(key) });
        } catch (error) {
          throw new Error(`the certificate that the cluster signed cannot be used: ${messageOf(error)}`, {
            cause: error,
          });
        }
        waitMs = 5_000;
        await untilRenewal(new X509Certificate(cert), waitedMs, options, signal);
      } catch (error) {
        if (signal.aborted) return;
        options.onError(error as Error);
        await sleep(waitMs, signal);
        waitMs = Math.min(waitMs * 2, 300_000);
      }
    }
  };
}

interface SigningRequest extends KubeObject {
  status?: { certificate?: string; conditions?: Condition[] };
}

/** @throws Error when the request is denied, fails, or is not signed in time. */
async function requestCertificate(
  client: KubeClient,
  options: CertificateOptions,
  key: KeyPair,
  signal: AbortSignal,
): Promise<string> {
  const pem = certificateRequest(
    {
      commonName: `system:node:${options.podName}`,
      organizations: ['system:nodes'],
      ips: [options.podIP],
      dnsNames: [],
    },
    key,
  );
  const created = await client.create<SigningRequest>(
    CertificateSigningRequests,
    {
      metadata: {
        generateName: `${proxierName(options.clusterID)}-`,
        labels: { [Label.clusterBinding]: labelValue(options.bindingName) },
      },
      spec: {
        request: Buffer.from(pem).toString('base64'),
        signerName: KubeletServingSigner,
        usages: ['digital signature', 'server auth'],
      },
    },
    { signal },
  );
  const name = created.metadata.name;
  // One object is asked for by name: watching would need the right to read every request of the cluster.
  const deadline = performance.now() + SIGNATURE_WAIT_MS;
  for (let waitMs = 200; performance.now() < deadline; waitMs = Math.min(waitMs * 1.5, 5_000)) {
    const answer = signedOrRefused(await client.get<SigningRequest>(CertificateSigningRequests, '', name, { signal }));
    if (answer !== undefined) {
      if (new X509Certificate(answer).checkPrivateKey(key.privateKey)) return answer;
      throw new Error(`CertificateSigningRequest ${name} was answered with a certificate of another key`);
    }
    await sleep(waitMs, signal);
  }
  throw new Error(
    `CertificateSigningRequest ${name} was not approved and signed within 15 minutes: is the manager running, and does the cluster sign ${KubeletServingSigner}? (else use --serving-certificate secret or self-signed)`,
  );
}

/** The certificate once there is one. @throws Error when the request was denied or failed. */
function signedOrRefused(request: SigningRequest): string | undefined {
  const { name } = request.metadata;
  for (const condition of request.status?.conditions ?? []) {
    if (condition.type === 'Denied' || condition.type === 'Failed') {
      const why = [condition.reason, condition.message].filter(Boolean).join(': ');
      throw new Error(`CertificateSigningRequest ${name}: ${condition.type}${why ? ` (${why})` : ''}`);
    }
  }
  const certificate = request.status?.certificate;
  return certificate ? Buffer.from(certificate, 'base64').toString('utf8') : undefined;
}

export interface MountedOptions {
  /** Folder with `tls.crt` and `tls.key`, as a Secret of type kubernetes.io/tls is mounted. */
  folder: string;
  onError: (error: Error) => void;
  /** How often the files are looked at, in milliseconds. Default 5,000. */
  checkEveryMs?: number;
}

/** A certificate from mounted files; a replacement is taken up without a restart, an unusable one is told once and left. */
export function mounted(options: MountedOptions): CertificateSource {
  return async (use, signal) => {
    let known = '';
    let told = '';
    while (!signal.aborted) {
      try {
        const [cert, key] = await Promise.all([
          readFile(join(options.folder, 'tls.crt'), 'utf8'),
          readFile(join(options.folder, 'tls.key'), 'utf8'),
        ]);
        if (cert + key !== known) {
          known = cert + key;
          if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
            throw new Error('tls.key is not the key of the certificate in tls.crt');
          }
          use({ cert, key });
          told = '';
        }
      } catch (error) {
        const text = `the serving certificate in ${options.folder} cannot be used: ${messageOf(error)}`;
        if (text !== told) options.onError(new Error(text, { cause: error }));
        told = text;
      }
      await sleep(options.checkEveryMs ?? 5_000, signal).catch(() => undefined);
    }
  };
}
