/** The three sources of the serving certificate, each as an API server sees it, and the change from one to the next. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Label, Namespace, proxierName } from '@kubeocean/shared/api';
import { CertificateSigningRequests, type KubeObject } from '@kubeocean/shared/kube';
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ServingCertificate, signedByCluster } from '../packages/proxier/src/tls/certificates.ts';
import { run } from './clusters/local/run.ts';
import { cleanup, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import { WEBSOCKET } from './proxier/ask.ts';
import type { Caller } from './proxier/callers.ts';
import { makeRig, type Rig } from './proxier/rig.ts';

const pod = 'web';
let rig: Rig;
let admin: Caller;
let proxier: RunningProcess | undefined;

beforeAll(async () => {
  rig = await makeRig('certs', { vnodes: 1 });
  await rig.makePod(pod);
  admin = await rig.admin();
  await rig.running(pod);
});

/** Another proxier instead of the one before. */
async function serve(how: Parameters<Rig['serve']>[0]): Promise<RunningProcess> {
  await proxier?.stop();
  proxier = await rig.serve(how);
  return proxier;
}

/** The certificate that a new connection is shown. */
function shown(): Promise<X509Certificate> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const at = { host: rig.hostIP, port: rig.portOf(rig.vnodes[0] as string), rejectUnauthorized: false };
  const socket = connectTls(at, () => resolve(socket.getPeerX509Certificate() as X509Certificate));
  socket.on('error', reject);
  return promise.finally(() => socket.destroy());
}

const logs = () => rig.kubectl(['logs', pod, '-c', 'main', '--tail=1']);

describe('signed by the cluster', () => {
  let request: KubeObject;

  test('is asked with this pod’s name and address, verified by the API server, and told when it ends', async () => {
    await proxier?.stop();
    proxier = await rig.start();
    request = await rig.approve();
    await proxier.waitReady(60_000);
    const name = proxierName(rig.id);
    expect(request.metadata.name).toMatch(new RegExp(`^${name}-[a-z0-9]+$`));
    expect(request['spec']).toMatchObject({
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
      username: `system:serviceaccount:${Namespace.system}:${name}`,
    });
    const pem = Buffer.from((request['spec'] as { request: string }).request, 'base64').toString();
    const { stdout } = await run(['openssl', 'req', '-noout', '-text', '-verify'], { input: pem });
    expect(stdout).toContain(`O = system:nodes, CN = system:node:${name}-0`);
    expect(stdout).toContain(`IP Address:${rig.hostIP}`);

    const certificate = await shown();
    expect(certificate.verify(new X509Certificate(rig.clusterCa).publicKey)).toBe(true);
    expect(certificate.checkIP(rig.hostIP)).toBe(rig.hostIP);
    expect(await logs()).toMatchObject({ status: 0 });
    const metrics = await (await fetch(`${await proxier.metrics()}/metrics`)).text();
    const ends = /^kubeocean_proxier_certificate_expiry_timestamp_seconds (\d+)/m.exec(metrics)?.[1];
    expect(Number(ends) * 1000).toBe(certificate.validToDate.getTime());
  });

  test('is asked anew, with another key, when 80 % of its life is over; a request that is denied is told, and made again', async () => {
    const given: ServingCertificate[] = [];
    const errors: string[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    let clock = Date.now();
    const bindingName = uniqueName(`${rig.id}-renewal`);
    const source = signedByCluster(rig.home, {
      clusterID: bindingName,
      bindingName,
      podName: 'some-pod',
      podIP: rig.hostIP,
      now: () => new Date(clock),
      wait: async (ms, signal) => {
        signal.throwIfAborted();
        clock += ms;
      },
      onError: (error) => errors.push(error.message),
    });
    const done = source((certificate) => {
      given.push(certificate);
      if (given.length === 2) stop.abort();
    }, stop.signal).catch(() => undefined);
    for (const verdict of ['approve', 'deny', 'approve']) {
      const open = await waitFor('a request', async () => {
        const selection = { labelSelector: `${Label.clusterBinding}=${bindingName}` };
        const { items } = await rig.home.list<KubeObject & { status: { conditions?: unknown } }>(
          CertificateSigningRequests,
          selection,
        );
        return items.find(({ status }) => !status.conditions);
      });
      const { name } = open.metadata;
      cleanup(() => rig.home.delete(CertificateSigningRequests, '', name).catch(() => undefined));
      await rig.kubectl(['certificate', verdict, name]);
    }
    await waitFor('the second certificate', () => given.length === 2);
    await done;
    const [first, second] = given.map(({ cert }) => new X509Certificate(cert)) as [X509Certificate, X509Certificate];
    const life = first.validToDate.getTime() - first.validFromDate.getTime();
    expect(clock).toBeGreaterThanOrEqual(first.validFromDate.getTime() + life * 0.8);
    expect(clock).toBeLessThan(first.validToDate.getTime());
    expect(second.fingerprint256).not.toBe(first.fingerprint256);
    expect(second.checkPrivateKey(createPrivateKey((given[1] as ServingCertificate).key))).toBe(true);
    expect(second.checkPrivateKey(createPrivateKey((given[0] as ServingCertificate).key))).toBe(false);
    expect(errors).toEqual([expect.stringMatching(/CertificateSigningRequest .*: Denied/)]);
  });
});

describe('made by the proxier', () => {
  test('is for its address, and nothing for an API server that verifies kubelets', async () => {
    await serve({ certificate: 'self-signed' });
    expect((await shown()).checkIP(rig.hostIP)).toBe(rig.hostIP);
    const { status, stderr } = await logs();
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/x509|certificate/);
    expect((await rig.ask('/healthz', admin, { unverified: true })).code).toBe(200);
  });
});

describe('mounted', () => {
  test('is taken up, replaced and kept under an open session; one that cannot be used changes nothing', async () => {
    const folder = join(rig.folder, 'serving');
    mkdirSync(folder, { recursive: true });
    const put = (cert: string, key: string) => {
      writeFileSync(join(folder, 'tls.key'), key);
      writeFileSync(join(folder, 'tls.crt'), cert);
    };
    const make = (seconds: number): [string, string] => {
      const key = newKeyPair();
      const subject = { commonName: 'own', organizations: [], ips: [rig.hostIP], dnsNames: [] };
      const now = Date.now();
      return [
        selfSignedCertificate(subject, key, new Date(now - 60_000), new Date(now + seconds * 1000)),
        privateKeyPem(key),
      ];
    };
    const first = make(20);
    put(...first);
    const running = await serve({ certificate: 'secret', flags: [`--serving-certificate-secret-dir=${folder}`] });
    const print = (cert: string) => new X509Certificate(cert).fingerprint256;
    expect((await shown()).fingerprint256).toBe(print(first[0]));

    // Ticks come through all the while.
    let ticks = 0;
    let open = true;
    const path = `/exec/${rig.id}/${pod}/main?output=1&command=sh&command=-c&command=${encodeURIComponent('while true; do echo tick; sleep 1; done')}`;
    const { promise, resolve } = Promise.withResolvers<Socket>();
    await rig.ask(path, admin, { unverified: true, headers: WEBSOCKET, onSession: resolve });
    const session = await promise;
    session.on('data', () => ticks++).on('close', () => (open = false));

    put(make(60)[0], make(60)[1]);
    await running.waitLog('the mismatch', (line) => /not the key of the certificate/.test(String(line['error'])));
    put('nonsense', 'nonsense');
    await running.waitLog(
      'the nonsense',
      (line) => line.msg === 'serving certificate' && !/not the key/.test(String(line['error'])),
    );
    expect((await shown()).fingerprint256).toBe(print(first[0]));

    const second = make(3600);
    put(...second);
    await waitFor('the new certificate', async () => (await shown()).fingerprint256 === print(second[0]));
    // The first one's life ends; the session it was made under does not.
    await waitFor(
      'the end of the first',
      () => Date.now() > new X509Certificate(first[0]).validToDate.getTime() + 1000,
    );
    const before = ticks;
    await waitFor('more ticks', () => ticks > before + 1);
    expect(open).toBe(true);
    session.destroy();
  });
});
