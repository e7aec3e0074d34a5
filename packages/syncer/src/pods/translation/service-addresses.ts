/** The Services of a namespace as its pods' variables name them: worked out once for all of its pods. */
import { type KubeObject, type ReadonlyStore, splitKey } from '@kubeocean/shared/kube';
import { type ServiceAddress, serviceAddress } from './service-variables.ts';

/** Those of a namespace that have an address, in the order of their names. */
export type ServiceAddresses = (namespace: string) => readonly ServiceAddress[];

/** @param services index `namespace` */
export function createServiceAddresses(services: ReadonlyStore<KubeObject>): ServiceAddresses {
  /** Of namespaces that were asked for and have not changed since. */
  const known = new Map<string, readonly ServiceAddress[]>();
  services.onChange(({ key }) => known.delete(splitKey(key).namespace));
  return (namespace) => {
    let addresses = known.get(namespace);
    if (!addresses) {
      addresses = services
        .byIndex('namespace', namespace)
        .map(serviceAddress)
        .filter((address) => address !== undefined)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      // A namespace without any may go without a word of it.
      if (addresses.length > 0) known.set(namespace, addresses);
    }
    return addresses;
  };
}
