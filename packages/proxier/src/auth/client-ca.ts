/**
 * The CA that signs the client certificates of this cluster: key `client-ca-file` of the ConfigMap that every API server
 * publishes for servers like this one. The CA of the aggregation layer (`requestheader-client-ca-file`, beside it) is
 * never used: its certificates vouch for other people's names.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates
 */
import { X509Certificate } from 'node:crypto';
import { Namespace } from '@kubeocean/shared/api';
import {
  ConfigMaps,
  createReflector,
  type KubeClient,
  type KubeObject,
  type OnWatchError,
} from '@kubeocean/shared/kube';

const NAME = 'extension-apiserver-authentication';
const KEY = 'client-ca-file';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

/**
 * The CA certificates of the ConfigMap, as PEM.
 * @returns undefined when there is none that can be read: then nobody can be told from anybody, and nothing is served.
 */
export function clientCaOf(configMap: ConfigMap | undefined): string | undefined {
  const bundle = configMap?.data?.[KEY] ?? '';
  const certificates = bundle.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    const read = certificates.map((certificate) => new X509Certificate(certificate).toString());
    return read.length > 0 ? read.join('') : undefined;
  } catch {
    return undefined;
  }
}

/** Watches the client CA and tells each change, `undefined` when there is none. Needs the Role extension-apiserver-authentication-reader. */
export function watchClientCa(
  client: KubeClient,
  signal: AbortSignal,
  tell: (ca: string | undefined) => void,
  onError: OnWatchError,
): void {
  const reflector = createReflector<ConfigMap>(client, {
    resource: ConfigMaps,
    namespace: Namespace.kubeSystem,
    fieldSelector: `metadata.name=${NAME}`,
    onError,
  });
  let last: string | undefined;
  reflector.store.onChange(({ current }) => {
    const ca = clientCaOf(current);
    if (ca !== last) tell((last = ca));
  });
  void reflector.run(signal);
}
