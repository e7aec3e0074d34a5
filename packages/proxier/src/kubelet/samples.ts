/** For tests: what a TLS server on 127.0.0.1 shows, trusted by whoever is given `cert` as authority. Good for an hour. */
import { newKeyPair, privateKeyPem, selfSignedCertificate } from '@kubeocean/shared/tls';

/** Certificate and key, as PEM. */
export function loopbackIdentity(): { cert: string; key: string } {
  const pair = newKeyPair();
  const cert = selfSignedCertificate(
    { commonName: 'worker', organizations: [], ips: ['127.0.0.1'], dnsNames: [] },
    pair,
    new Date(Date.now() - 60_000),
    new Date(Date.now() + 3_600_000),
  );
  return { cert, key: privateKeyPem(pair) };
}
