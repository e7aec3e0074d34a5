/**
 * The worker's words, in home's names: messages of kubelets and of the worker's API server name the worker pod, its
 * namespace and the copies of what it refers to; the reader at home knows none of these. Pure.
 */
import { tokenSecretName, workerName } from '@kubeocean/shared/api';
import { referencesOf } from '../dependents/references.ts';
import type { Pod } from './types.ts';

/** Puts home's names in the place of the worker's. */
export type Words = (text: string) => string;

/** A derived name ends in 32 hexadecimal digits; a text without such a thing names none. */
const DERIVED = /[0-9a-f]{32}/;

/**
 * @param workerUID UID of the worker pod, which kubelets write behind its name
 */
export function wordsFor(
  home: Pod,
  facts: { bindingUID: string; mountNamespace: string },
  workerUID: string | undefined,
): Words {
  const { bindingUID, mountNamespace } = facts;
  const { namespace = '', name, uid = '' } = home.metadata;
  let pairs: [worker: string, home: string][] | undefined;

  function known(): [string, string][] {
    const { objects, tokens } = referencesOf(home);
    const found: [string, string][] = objects.map((each) => [
      workerName(bindingUID, namespace, each.name, each.kind),
      each.name,
    ]);
    for (const volume of home.spec.volumes ?? []) {
      const claim = (volume['persistentVolumeClaim'] as { claimName?: string } | undefined)?.claimName;
      if (claim) found.push([workerName(bindingUID, namespace, claim, 'persistentvolumeclaim'), claim]);
    }
    if (tokens.length > 0) found.push([tokenSecretName(bindingUID, namespace, name, uid), 'its ServiceAccount token']);
    found.push([workerName(bindingUID, namespace, name), name]);
    return found;
  }

  return (text) => {
    let said = text;
    if (DERIVED.test(said)) {
      pairs ??= known();
      for (const [worker, atHome] of pairs) said = said.replaceAll(worker, atHome);
    }
    if (workerUID && uid) said = said.replaceAll(workerUID, uid);
    // Only where it is surely a namespace: it may be as short and common a word as "default".
    return said
      .replaceAll(new RegExp(`(?<![\\w.-])${mountNamespace}/`, 'g'), `${namespace}/`)
      .replaceAll(`_${mountNamespace}(`, `_${namespace}(`)
      .replaceAll(`"${mountNamespace}"`, `"${namespace}"`);
  };
}
