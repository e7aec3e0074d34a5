import { ApiError, ConnectionError } from '@kubeocean/shared/kube';
import { expect, it } from 'vitest';
import { workerProblem } from './worker-check.ts';

const server = 'https://10.9.8.7:6443';
const refused = (code: number, message: string) => new ApiError(code, { message }, 'GET', '/version');

it.each<[string, unknown, string, RegExp]>([
  [
    'an unknown CA',
    new ConnectionError(server, 'SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate; try something'),
    'CertificateNotTrusted',
    /at https:\/\/10\.9\.8\.7:6443 is not trusted \(SELF_SIGNED_CERT_IN_CHAIN: self-signed certificate\)/,
  ],
  [
    'a certificate that has expired',
    new ConnectionError(server, 'CERT_HAS_EXPIRED', 'certificate has expired'),
    'CertificateNotTrusted',
    /\(CERT_HAS_EXPIRED: certificate has expired\): see the clocks of both clusters, and renew it there; nothing in Secret/,
  ],
  [
    'no answer',
    new ConnectionError(server, 'ETIMEDOUT', 'no answer in time'),
    'WorkerUnreachable',
    /no answer in time/,
  ],
  ['a bad token', refused(401, 'Unauthorized'), 'CredentialRejected', /401/],
  [
    'a certificate of another CA',
    refused(403, 'selfsubjectreviews is forbidden: User "system:anonymous" cannot create'),
    'CredentialRejected',
    /signed by another CA/,
  ],
  ['no right', refused(403, 'forbidden: User "x" cannot'), 'WorkerRefused', /answered 403: forbidden/],
  ['a server in trouble', refused(503, 'etcd down'), 'WorkerUnreachable', /answered 503: etcd down/],
])('%s', (_, error, reason, message) => {
  const problem = workerProblem(error, server, 'Secret kubeocean-system/s');
  expect(problem).toMatchObject({ stage: 'worker', reason });
  expect(problem?.message).toMatch(message);
  expect(problem?.message).toContain('Secret kubeocean-system/s');
});

it('says nothing of errors that are our own', () => {
  expect(workerProblem(new TypeError('x'), server, 's')).toBeUndefined();
});
