/**
 * The worker's words, in home's names: messages of kubelets and of the worker's API server name the worker pod, its
 * namespace and the copies of what it refers to; the reader at home knows none of these. Pure.
 */
import { tokenSecretName, workerName } from '@kubeocean/shared/api';
import { referencesOf } from '../../dependents/references.ts';
import { claimNameOf } from '../../volumes/words.ts';
import type { Pod } from '../types.ts';

/** Puts home's names in the place of the worker's. */
export type Words = (text: string) => string;

/** A derived name ends in 32 hexadecimal digits; a text without such a thing names none. */
const DERIVED = /[0-9a-f]{32}/;

/**
 * @param workerPod as it is, or as it was asked for: kubelets write its UID behind its name, and its volumes say which
 *   claims stand behind home's
 */
export function wordsFor(home: Pod, facts: { bindingUID: string; mountNamespace: string }, workerPod: Pod): Words {
  const { bindingUID, mountNamespace } = facts;
  const { namespace = '', name, uid = '' } = home.metadata;
  const workerUID = workerPod.metadata.uid;
  const claims = claimPairs(home, workerPod);
  let pairs: [worker: string, home: string][] | undefined;

  function known(): [string, string][] {
    const { objects, tokens } = referencesOf(home);
    const found: [string, string][] = objects.map((each) => [
      workerName(bindingUID, namespace, each.name, each.kind),
      each.name,
    ]);
    found.push(...claims.filter(([worker]) => DERIVED.test(worker)));
    if (tokens.length > 0) found.push([tokenSecretName(bindingUID, namespace, name, uid), 'its ServiceAccount token']);
    found.push([workerName(bindingUID, namespace, name), name]);
    // An adopted pod has another name.
    if (DERIVED.test(workerPod.metadata.name)) found.push([workerPod.metadata.name, name]);
    return found;
  }

  return (text) => {
    let said = text;
    if (DERIVED.test(said)) {
      pairs ??= known();
      for (const [worker, atHome] of pairs) {
        said = said.replaceAll(`${mountNamespace}/${worker}`, `${namespace}/${atHome}`).replaceAll(worker, atHome);
      }
    }
    for (const [worker, atHome] of claims) {
      // An offered claim has a name of its owner's choice, perhaps a word like "data".
      if (!DERIVED.test(worker)) said = said.replaceAll(`claim "${worker}"`, `claim "${atHome}"`);
    }
    if (workerUID && uid) said = said.replaceAll(workerUID, uid);
    // Only where it is surely the namespace of this pod: it may be a common word or part of an image's name, and what is said of
    // the worker's namespace itself, of its account or of rights there, is true of none at home.
    return said
      .replaceAll(`_${mountNamespace}(`, `_${namespace}(`)
      .replaceAll(`"${mountNamespace}"/"`, `"${namespace}"/"`);
  };
}

/** Names of the claims behind the same volumes of the two pods. */
function claimPairs(home: Pod, workerPod: Pod): [worker: string, home: string][] {
  const claimOf = new Map(workerPod.spec.volumes?.map((volume) => [volume.name, claimNameOf(workerPod, volume)]));
  return (home.spec.volumes ?? []).flatMap((volume): [string, string][] => {
    const [atHome, worker] = [claimNameOf(home, volume), claimOf.get(volume.name)];
    return atHome !== undefined && worker !== undefined ? [[worker, atHome]] : [];
  });
}
