/** Every binding that cannot work says why, with the manager between two real clusters (e2e/manager/rig.ts). */
import { readFileSync } from 'node:fs';
import type { KubeObject } from '@kubeocean/shared/kube';
import { beforeAll, describe, expect, it } from 'vitest';
import { cleanup, kubeconfigOf, kubectl, type RunningProcess, uniqueName, waitFor } from './harness/index.ts';
import {
  admin,
  ALL_MADE,
  base64,
  bind,
  conditionOf,
  good,
  kubeconfig,
  madeFor,
  noAgent,
  notReady,
  phaseOf,
  putSecret,
  startManager,
  SYSTEM,
  tokenOf,
  unbind,
  WORKER,
  workerKubeconfig,
} from './manager/rig.ts';

let manager: RunningProcess;

beforeAll(async () => {
  manager = await startManager();
});

describe('a binding that cannot work says why, and goes on by itself when that is repaired', () => {
  it('Secret, kubeconfig, connection and credential, one after the other', async () => {
    await noAgent();
    const { name, secret } = await bind();
    const { server, ca = '' } = admin('worker-1');
    const other = admin('computing');
    const address = new URL(server).hostname;

    expect(await notReady(name, 'SecretMissing')).toMatch(
      new RegExp(`Secret ${SYSTEM}/${secret}.* does not exist.*kubectl -n ${SYSTEM} create secret generic ${secret}`),
    );
    expect(await phaseOf(name)).toBe('Failed');
    expect((await conditionOf(name, 'Connected'))?.reason).toBe('SecretMissing');

    await putSecret(secret, { config: 'x' });
    expect(await notReady(name, 'SecretKeyMissing')).toMatch(/no key "kubeconfig" \(only "config"\)/);

    const token = 'geheim-token';
    const refused: [string, string, RegExp][] = [
      ['KubeconfigMalformed', '{"a', /not valid YAML/],
      ['KubeconfigExecPlugin', await workerKubeconfig({ user: { exec: { command: '/bin/false' } } }), /exec plug-in/],
      ['KubeconfigFileReference', await workerKubeconfig({ user: { tokenFile: '/etc/passwd' } }), /tokenFile/],
      [
        'KubeconfigInsecure',
        await workerKubeconfig({ user: { token }, cluster: { 'insecure-skip-tls-verify': true } }),
        /insecure-skip-tls-verify/,
      ],
      [
        'KubeconfigAddressNotAllowed',
        await workerKubeconfig({ user: { token }, server: 'https://127.0.0.1:6443' }),
        /loopback/,
      ],
      [
        'WorkerUnreachable',
        await workerKubeconfig({ server: `https://${address}:1` }),
        /does not answer.*ECONNREFUSED/,
      ],
      [
        'CertificateNotTrusted',
        await workerKubeconfig({ ca: other.ca ?? '' }),
        /is not trusted.*certificate-authority-data/,
      ],
      ['CredentialRejected', await workerKubeconfig({ user: { token } }), /401/],
      [
        'CredentialRejected',
        kubeconfig({
          server,
          ca,
          user: { 'client-certificate-data': base64(other.cert ?? ''), 'client-key-data': base64(other.key ?? '') },
        }),
        /rejects the credential|does not know the client certificate/,
      ],
    ];
    for (const [reason, text, message] of refused) {
      await putSecret(secret, { kubeconfig: text });
      const told = await waitFor(
        `${reason} told`,
        async () => {
          const said = await notReady(name, reason, 10_000);
          return message.test(said) && said;
        },
        { timeoutMs: 60_000 },
      );
      expect(told).toContain(`${SYSTEM}/${secret}`);
      expect(told).not.toContain(token);
      expect((await conditionOf(name, 'Connected'))?.status).toBe('False');
      expect(await phaseOf(name)).toBe('Failed');
    }
    expect((await madeFor(name)).size).toBe(0);

    await putSecret(secret, { kubeconfig: await workerKubeconfig() });
    expect(await notReady(name, 'AgentNotInstalled')).toMatch(
      /no Lease "kubeocean-agent".*install the chart kubeocean-worker/,
    );
    expect(await conditionOf(name, 'Connected')).toMatchObject({
      status: 'True',
      message: expect.stringContaining(`system:serviceaccount:${WORKER}:kubeocean-syncer`) as string,
    });
    // They are written after the status.
    await waitFor('the events', async () => {
      const which = `--field-selector=involvedObject.name=${name}`;
      const { stdout: events } = await kubectl('computing', ['get', 'events', '-A', which]);
      for (const reason of ['SecretMissing', 'CertificateNotTrusted', 'AgentNotInstalled'])
        expect(events).toContain(reason);
      return true;
    });
    expect(manager.tail(500)).not.toContain(token);
  });

  it('a Secret in another namespace', async () => {
    const { name } = await bind({ secretRef: { name: 'x', namespace: 'default' } });
    expect(await notReady(name, 'SecretNamespace')).toMatch(/"default".*must lie in kubeocean-system/);
  });

  it('rights: all that are missing are listed', async () => {
    const namespace = uniqueName('mgr-rights');
    await kubectl('worker-1', ['create', 'namespace', namespace]);
    cleanup(() => kubectl('worker-1', ['delete', 'namespace', namespace, '--wait=false']));
    await kubectl('worker-1', ['-n', namespace, 'create', 'serviceaccount', 'some']);
    const { name, secret } = await bind({ mountNamespace: namespace });
    const token = await tokenOf('worker-1', namespace, 'some');
    await putSecret(secret, { kubeconfig: await workerKubeconfig({ user: { token } }) });
    // Nothing at all: it may as well be another's namespace.
    expect(await notReady(name, 'MountNamespaceMissing')).toMatch(
      new RegExp(
        `"system:serviceaccount:${namespace}:some".*no right at all.*"${namespace}".*does not exist there, or it belongs`,
      ),
    );

    const verbs = '--verb=get,list,watch,create,update,patch';
    await kubectl('worker-1', [
      '-n',
      namespace,
      'create',
      'role',
      'some',
      verbs,
      '--resource=pods,leases.coordination.k8s.io',
    ]);
    await kubectl('worker-1', [
      '-n',
      namespace,
      'create',
      'rolebinding',
      'some',
      '--role=some',
      `--serviceaccount=${namespace}:some`,
    ]);
    const message = await notReady(name, 'RightsMissing');
    expect(message).toMatch(/pods \(delete\), pods\/log \(get\), pods\/exec \(create, get\)/);
    expect(message).toMatch(
      /leases\.coordination\.k8s\.io \(delete\), leasednodes\.cloud\.tencent\.com \(get, list, watch\)/,
    );
  });

  it('a mount namespace that does not exist', async () => {
    const { name, secret } = await bind({ mountNamespace: uniqueName('mgr-nowhere') });
    await putSecret(secret, { kubeconfig: readFileSync(kubeconfigOf('worker-1'), 'utf8') });
    expect(await notReady(name, 'MountNamespaceMissing')).toMatch(
      /"mgr-nowhere-.*" does not exist in the worker cluster/,
    );
  });

  it('a clusterID that is taken: named, harmless to the holder, free when the holder goes', async () => {
    const first = await good();
    const before = await madeFor(first.clusterID);
    const second = await bind({ clusterID: first.clusterID, secretRef: { name: first.secret, namespace: SYSTEM } });
    const [older, younger] = [first.name, second.name];
    expect(await notReady(younger, 'ClusterIDTaken')).toContain(`taken by ClusterBinding "${older}"`);
    await sameUIDs(before, first.clusterID);

    await unbind(older);
    await waitFor(
      'made for the second',
      async () => {
        const made = await madeFor(first.clusterID);
        const owners = new Set([...made.values()].map(({ metadata }) => metadata.ownerReferences?.[0]?.name));
        return made.size === ALL_MADE && owners.size === 1 && owners.has(younger);
      },
      { timeoutMs: 60_000 },
    );
  });
});

/** Asserts that the objects are those of before. */
async function sameUIDs(before: Map<string, KubeObject>, clusterID: string): Promise<void> {
  const now = await madeFor(clusterID);
  for (const [key, { metadata }] of before) expect(now.get(key)?.metadata.uid, key).toBe(metadata.uid);
}
