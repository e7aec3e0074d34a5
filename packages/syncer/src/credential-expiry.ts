/** When the credential for the worker cluster ends, for alarms: afterwards it takes somebody of the worker to make another. */
import { X509Certificate } from 'node:crypto';
import { Gauge, type Registry } from '@kubeocean/shared/daemon';
import { type CredentialSource, isObject } from '@kubeocean/shared/kube';

/** No figure where the credential says no end, as the token that scripts/kubeconfig.sh puts into a kubeconfig. */
export function credentialExpiryMetric(registry: Registry, credentials: Pick<CredentialSource, 'current'>): Gauge {
  return new Gauge({
    name: 'kubeocean_worker_credential_expiry_timestamp_seconds',
    help: 'When the credential for the worker cluster ends, in seconds since 1970',
    registers: [registry],
    collect() {
      this.remove();
      const end = endOf(credentials);
      if (end !== undefined) this.set(end);
    },
  });
}

/** In seconds since 1970. */
function endOf(credentials: Pick<CredentialSource, 'current'>): number | undefined {
  try {
    const { token, cert } = credentials.current();
    const ends = [token && endOfToken(token), cert && new X509Certificate(cert).validToDate.getTime() / 1000];
    const known = ends.filter((end) => typeof end === 'number');
    return known.length > 0 ? Math.min(...known) : undefined;
  } catch {
    // What cannot be used is told of by the calls that need it, and keeps no other metric from being read.
    return undefined;
  }
}

/** Read out of a token, unchecked; undefined: it is none that says so. */
function endOfToken(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return isObject(claims) && typeof claims['exp'] === 'number' ? claims['exp'] : undefined;
  } catch {
    return undefined;
  }
}
