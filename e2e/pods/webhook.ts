/** A mutating webhook of a worker's owner, served by the test's own process. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pods } from '@kubeocean/shared/kube';
import { opensslConfig } from '../clusters/local/pki.ts';
import { run } from '../clusters/local/run.ts';
import { cleanup, kubectl, waitFor } from '../harness/index.ts';
import { addressFacing } from '../proxier/objects.ts';
import type { Pod, PodRig } from './helpers.ts';

interface Review {
  apiVersion: string;
  kind: string;
  request: { uid: string; object: Pod };
}

export interface PatchStep {
  op: 'replace' | 'add';
  path: string;
  value: unknown;
}

/**
 * Has every pod that is made in the rig's mount namespace changed as `mutate` says, from when this resolves until the file is
 * over. When it throws, the webhook fails.
 */
export async function mutatePods(rig: PodRig, mutate: (pod: Pod) => PatchStep[]): Promise<void> {
  const host = addressFacing(rig.worker.transport.server);
  const { cert, key } = await certificateFor(host);
  let asked = false;
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      asked = true;
      const { apiVersion, kind, request } = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      let steps: PatchStep[];
      try {
        steps = mutate(request.object);
      } catch (error) {
        outgoing.writeHead(500);
        outgoing.end(String(error));
        return;
      }
      const patch = Buffer.from(JSON.stringify(steps)).toString('base64');
      const response = { uid: request.uid, allowed: true, patchType: 'JSONPatch', patch };
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ apiVersion, kind, response }));
    });
  });
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(0, host, listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  cleanup(() => {
    server.close();
    server.closeAllConnections();
  });
  const name = `owner-${rig.mountNamespace}`;
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'owner.example.com',
        clientConfig: { url: `https://${host}:${port}/`, caBundle: Buffer.from(cert).toString('base64') },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': rig.mountNamespace } },
        failurePolicy: 'Fail',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  };
  cleanup(() => kubectl('worker-1', ['delete', '--ignore-not-found', 'mutatingwebhookconfiguration', name]));
  await kubectl('worker-1', ['apply', '-f', '-'], { input: JSON.stringify(configuration) });
  // An API server asks a new webhook a moment later.
  await waitFor('the webhook in force', async () => {
    const metadata = { name: 'probe', namespace: rig.mountNamespace };
    const spec = { containers: [{ name: 'main', image: 'none' }] };
    await rig.worker.create(Pods, { metadata, spec }, { dryRun: true }).catch(() => undefined);
    return asked;
  });
}

async function certificateFor(address: string): Promise<{ cert: string; key: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeocean-webhook-'));
  const file = (ending: string) => join(folder, `webhook.${ending}`);
  try {
    const names = [`IP:${address}`];
    writeFileSync(file('cnf'), opensslConfig({ name: 'webhook', commonName: 'webhook', use: 'server', names }));
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'];
    const files = ['-keyout', file('key'), '-out', file('crt')];
    await run(['openssl', 'req', '-x509', '-config', file('cnf'), ...kind, ...files]);
    return { cert: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
