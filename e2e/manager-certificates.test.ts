/** Serving certificates of proxiers, which the manager approves, between two real clusters (e2e/manager/rig.ts). */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeletServingSigner } from '@kubeocean/shared/api';
import { CertificateSigningRequests, type KubeObject, Pods } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from './clusters/local/run.ts';
import { cleanup, kubectl, uniqueName, waitFor } from './harness/index.ts';
import { admin, base64, get, good, home, startManager, SYSTEM } from './manager/rig.ts';

beforeAll(async () => {
  await startManager();
});

describe('serving certificates', () => {
  async function ask(clusterID: string, subject: string, names: string, as = `kubeocean-proxier-${clusterID}`) {
    const key = join(tmpdir(), uniqueName('mgr-key'));
    cleanup(() => rmSync(key, { force: true }));
    await run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
    const { stdout } = await run([
      'openssl',
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      subject,
      '-addext',
      `subjectAltName=${names}`,
    ]);
    const csr = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: {
        name: uniqueName(`kubeocean-proxier-${clusterID}`),
        labels: { 'kubeocean.io/cluster-binding': clusterID },
      },
      spec: {
        request: base64(stdout),
        signerName: KubeletServingSigner,
        usages: ['digital signature', 'server auth'],
      },
    };
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM}`, 'system:authenticated'];
    await kubectl(
      'computing',
      [
        'create',
        `--as=system:serviceaccount:${SYSTEM}:${as}`,
        ...groups.map((group) => `--as-group=${group}`),
        '-f',
        '-',
      ],
      { input: JSON.stringify(csr) },
    );
    cleanup(() => kubectl('computing', ['delete', 'csr', csr.metadata.name, '--ignore-not-found']));
    return csr.metadata.name;
  }
  interface Csr extends KubeObject {
    status?: { certificate?: string; conditions?: { type: string; message: string }[] };
  }

  it("are approved for a proxier pod's own address, denied for any other, and left alone for others", async () => {
    const { clusterID } = await good();
    const selector = {
      namespace: SYSTEM,
      labelSelector: `kubeocean.io/component=proxier,kubeocean.io/physical-cluster-id=${clusterID}`,
    };
    const pod = await waitFor(
      'a proxier pod with an address',
      async () => {
        const { items } = await home.list<KubeObject & { status?: { podIP?: string } }>(Pods, selector);
        return items.find(({ status }) => status?.podIP);
      },
      { timeoutMs: 90_000 },
    );
    const ip = pod.status?.podIP ?? '';
    const subject = `/O=system:nodes/CN=system:node:${pod.metadata.name}`;

    const approved = await ask(clusterID, subject, `IP:${ip}`);
    await waitFor(
      'the certificate',
      async () => (await get<Csr>(CertificateSigningRequests, '', approved))?.status?.certificate,
    );

    const denied = await ask(clusterID, subject, `IP:${ip},IP:${new URL(admin('computing').server).hostname}`);
    const verdict = await waitFor(
      'the verdict',
      async () => (await get<Csr>(CertificateSigningRequests, '', denied))?.status?.conditions?.[0],
    );
    expect(verdict).toMatchObject({
      type: 'Denied',
      message: expect.stringContaining('is not an address of pod') as string,
    });

    const account = uniqueName('mgr-foreign');
    await kubectl('computing', [
      'create',
      'clusterrolebinding',
      account,
      '--clusterrole=kubeocean-proxier',
      `--serviceaccount=${SYSTEM}:${account}`,
    ]);
    cleanup(() => kubectl('computing', ['delete', 'clusterrolebinding', account]));
    // A right that has just been given counts a moment later.
    const foreign = await waitFor('the request of another', () => ask(clusterID, subject, `IP:${ip}`, account));
    const after = await ask(clusterID, subject, `IP:${ip}`);
    await waitFor(
      'the one after it',
      async () => (await get<Csr>(CertificateSigningRequests, '', after))?.status?.certificate,
    );
    expect((await get<Csr>(CertificateSigningRequests, '', foreign))?.status?.conditions).toBeUndefined();
  });
});
