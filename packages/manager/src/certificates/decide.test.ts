import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '@kubeocean/shared/kube';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binding } from '../bindings/fixtures.ts';
import { decide, podNameOf, type SigningRequest } from './decide.ts';
import { DerError } from './der.ts';
import { canonicalIP, parseCertificateRequest } from './pkcs10.ts';

let folder = '';
let good = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeocean-csr-'));
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(folder, 'key.pem'));
  good = request();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openssl(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

function request(
  subject = '/O=system:nodes/CN=system:node:p-1',
  names: string | undefined = 'IP:10.1.2.3',
  ...more: string[]
): string {
  const key = join(folder, 'key.pem');
  const extension = names ? ['-addext', `subjectAltName=${names}`] : [];
  return openssl('req', '-new', '-key', key, '-subj', subject, ...extension, ...more);
}

function csr(pem: string, change: Partial<SigningRequest['spec']> = {}): SigningRequest {
  return {
    metadata: { name: 'kubeocean-proxier-cls-example-x' },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
      username: 'system:serviceaccount:kubeocean-system:kubeocean-proxier-cls-example',
      extra: {
        'authentication.kubernetes.io/pod-name': ['p-1'],
        'authentication.kubernetes.io/pod-uid': ['pod-uid'],
      },
      ...change,
    },
  };
}

function pod(change: { spec?: object; status?: object; metadata?: object } = {}): KubeObject {
  return {
    metadata: { name: 'p-1', namespace: 'kubeocean-system', uid: 'pod-uid', ...change.metadata },
    spec: { serviceAccountName: 'kubeocean-proxier-cls-example', ...change.spec },
    status: {
      phase: 'Running',
      podIP: '10.1.2.3',
      podIPs: [{ ip: '10.1.2.3' }, { ip: 'fd00::1:0:0:3' }],
      ...change.status,
    },
  };
}

const bindings = [binding('a')];

describe('parseCertificateRequest', () => {
  it('reads what openssl wrote', () => {
    const names = 'IP:10.1.2.3,IP:fd00::1:0:0:3,DNS:x.example,URI:https://x,email:a@b.c';
    expect(parseCertificateRequest(request('/O=o1/O=o2/CN=n/C=DE', names))).toEqual({
      commonNames: ['n'],
      organizations: ['o1', 'o2'],
      otherSubject: ['2.5.4.6'],
      dnsNames: ['x.example'],
      ipAddresses: ['10.1.2.3', canonicalIP('fd00:0:0:0:1:0:0:3')],
      otherNames: 2,
    });
    expect(parseCertificateRequest(request('/CN=n', ''))).toMatchObject({ commonNames: ['n'], ipAddresses: [] });
  });

  it('reads a request with other extensions and attributes', () => {
    const pem = request(
      '/O=system:nodes/CN=system:node:p-1',
      'IP:10.1.2.3',
      '-addext',
      'keyUsage=critical,digitalSignature',
    );
    expect(parseCertificateRequest(pem)).toMatchObject({ ipAddresses: ['10.1.2.3'] });
  });

  it('refuses what is cut, changed or more than one, and never throws anything but DerError', () => {
    const body = Buffer.from(good.replace(/-----[^-]+-----/g, ''), 'base64');
    const pem = (bytes: Buffer) =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(parseCertificateRequest(pem(body))).toEqual(parseCertificateRequest(good));
    expect(() => parseCertificateRequest(good + good)).toThrow(DerError);
    expect(() => parseCertificateRequest(pem(Buffer.concat([body, Buffer.from([0])])))).toThrow(/follow/);
    for (let length = 0; length < body.length; length += 7) {
      expect(() => parseCertificateRequest(pem(body.subarray(0, length)))).toThrow(DerError);
    }
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(body);
        changed[at] = value;
        try {
          parseCertificateRequest(pem(changed));
        } catch (error) {
          expect(error).toBeInstanceOf(DerError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the pod that a request is for', () => {
  it.each<[string, string | undefined]>([
    ['/O=system:nodes/CN=system:node:p-1', 'p-1'],
    ['/O=system:nodes/CN=system:node:', undefined],
    ['/O=system:nodes/CN=p-1', undefined],
    ['/O=system:nodes/CN=system:node:..', undefined],
    ['/O=system:nodes/CN=system:node:a b', undefined],
  ])('of %s is %s', (subject, name) => expect(podNameOf(csr(request(subject)))).toBe(name));

  it('is none where the request cannot be read', () => expect(podNameOf(csr('nonsense'))).toBeUndefined());
});

describe('decide', () => {
  it('approves the address of the pod that asks', () => {
    expect(decide(csr(good), bindings, pod())).toMatchObject({ verdict: 'approve' });
    const both = request('/O=system:nodes/CN=system:node:p-1', 'IP:10.1.2.3,IP:fd00::1:0:0:3');
    expect(decide(csr(both), bindings, pod())).toMatchObject({ verdict: 'approve' });
  });

  it('approves what an account asks of whose pod the API server tells nothing', () => {
    expect(decide(csr(good, { extra: {} }), bindings, pod())).toMatchObject({ verdict: 'approve' });
  });

  it('leaves requests of others alone, and those that are decided', () => {
    const decided = { ...csr(good), status: { conditions: [{ type: 'Approved' }] } };
    for (const foreign of [
      csr(good, { username: 'system:node:node1' }),
      csr(good, { username: 'system:serviceaccount:default:kubeocean-proxier-cls-example' }),
      csr(good, { username: 'system:serviceaccount:kubeocean-system:kubeocean-syncer-cls-example' }),
      csr(good, { signerName: 'kubernetes.io/kube-apiserver-client' }),
      decided,
      { ...csr(good), status: { certificate: 'x' } },
    ]) {
      expect(decide(foreign, bindings, pod())).toEqual({ verdict: 'ignore' });
    }
  });

  it('waits while the pod or its address is not there yet', () => {
    expect(decide(csr(good), bindings, undefined)).toMatchObject({ verdict: 'wait' });
    // Its address may be another's in a moment.
    const going = pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
    expect(decide(csr(good), bindings, going)).toMatchObject({ verdict: 'wait' });
    expect(decide(csr(good), bindings, pod({ status: { podIP: undefined, podIPs: undefined } }))).toMatchObject({
      verdict: 'wait',
    });
  });

  it.each<[string, () => SigningRequest, KubeObject, RegExp]>([
    [
      'a binding that does not exist',
      () => csr(good, { username: 'system:serviceaccount:kubeocean-system:kubeocean-proxier-other' }),
      pod(),
      /no ClusterBinding has clusterID "other"/,
    ],
    ['no request at all', () => csr('nonsense'), pod(), /cannot be read/],
    [
      'a client certificate',
      () => csr(good, { usages: ['digital signature', 'client auth'] }),
      pod(),
      /"client auth" is not for serving/,
    ],
    ['no server usage', () => csr(good, { usages: ['digital signature'] }), pod(), /"server auth" is missing/],
    [
      'a name that is no node',
      () => csr(request('/O=system:nodes/CN=admin')),
      pod(),
      /common name must be system:node:<pod>, not "admin"/,
    ],
    ['two common names', () => csr(request('/O=system:nodes/CN=system:node:p-1/CN=admin')), pod(), /common name/],
    [
      'the group of administrators',
      () => csr(request('/O=system:masters/CN=system:node:p-1')),
      pod(),
      /organization must be system:nodes/,
    ],
    [
      'a second organization',
      () => csr(request('/O=system:nodes/O=system:masters/CN=system:node:p-1')),
      pod(),
      /organization/,
    ],
    [
      'more in the subject',
      () => csr(request('/O=system:nodes/OU=x/CN=system:node:p-1')),
      pod(),
      /parts that do not belong/,
    ],
    [
      'a DNS name',
      () => csr(request(undefined, 'IP:10.1.2.3,DNS:kubernetes')),
      pod(),
      /DNS names are not certified: "kubernetes"/,
    ],
    ['a URI', () => csr(request(undefined, 'IP:10.1.2.3,URI:https://x')), pod(), /only IP addresses/],
    ['no address', () => csr(request(undefined, '')), pod(), /no IP address/],
    [
      "another pod's address",
      () => csr(request(undefined, 'IP:10.1.2.4')),
      pod(),
      /10\.1\.2\.4 is not an address of pod "p-1"/,
    ],
    [
      'one address too many',
      () => csr(request(undefined, 'IP:10.1.2.3,IP:10.0.0.1')),
      pod(),
      /10\.0\.0\.1 is not an address/,
    ],
    [
      "another pod's name",
      () => csr(request('/O=system:nodes/CN=system:node:p-2')),
      pod({ metadata: { name: 'p-2' } }),
      /of pod "p-2", but pod "p-1" asks/,
    ],
    ['a pod that was replaced', () => csr(good), pod({ metadata: { uid: 'new' } }), /another one by now/],
    [
      'a pod with our labels and another account',
      () => csr(good),
      pod({ spec: { serviceAccountName: 'default' } }),
      /does not run as ServiceAccount/,
    ],
    ["a pod with its node's address", () => csr(good), pod({ spec: { hostNetwork: true } }), /hostNetwork/],
    ['a pod that has ended', () => csr(good), pod({ status: { phase: 'Failed' } }), /has ended/],
  ])('denies %s', (_, make, pod, message) => {
    const decision = decide(make(), bindings, pod);
    expect(decision).toMatchObject({ verdict: 'deny' });
    expect((decision as { message: string }).message).toMatch(message);
  });
});
