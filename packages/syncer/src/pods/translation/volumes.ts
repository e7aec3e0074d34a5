/** Volumes of a worker pod: references renamed, tokens taken from a Secret, what cannot be carried refused. Pure. */
import { tokenSecretName, VolumeDriver, workerName } from '@kubeocean/shared/api';
import { tokenKey } from '../../dependents/references.ts';
import { redirectItem } from './downward.ts';
import { rename } from './environment.ts';
import { Refusal } from './refusal.ts';
import type { WorkerFacts } from './to-worker.ts';
import type { Pod, ProjectedSource, Volume } from '../types.ts';

/** Sources that refer to no object of a namespace. What of them the worker permits is its own Pod Security's business. */
const CARRIED_AS_IS = new Set(['emptyDir', 'hostPath', 'nfs', 'fc', 'image']);

/** @throws Refusal for a source that is not known or that refers to something Kubeocean does not bring along. */
export function translateVolume(volume: Volume, home: Pod, facts: WorkerFacts): Volume {
  const namespace = home.metadata.namespace ?? '';
  const translated: Volume = { ...volume };
  for (const source of Object.keys(volume)) {
    if (source === 'name' || CARRIED_AS_IS.has(source)) continue;
    switch (source) {
      case 'configMap':
        translated.configMap = rename(volume.configMap, 'configmap', home, facts);
        break;
      case 'secret':
        if (volume.secret?.secretName) {
          const secretName = workerName(facts.bindingUID, namespace, volume.secret.secretName, 'secret');
          translated.secret = { ...volume.secret, secretName };
        }
        break;
      case 'downwardAPI': {
        const items = volume.downwardAPI?.items?.map((item) => redirectItem(home, item));
        translated.downwardAPI = { ...volume.downwardAPI, ...(items && { items }) };
        break;
      }
      case 'projected': {
        const sources = (volume.projected?.sources ?? []).map((projected, index) =>
          translateSource(projected, volume.name, index, home, facts),
        );
        translated.projected = { ...volume.projected, sources };
        break;
      }
      case 'csi':
        refuseCsiWithSecret(volume);
        break;
      case 'persistentVolumeClaim':
        translated['persistentVolumeClaim'] = { ...(volume[source] as object), claimName: claimFor(volume, facts) };
        break;
      case 'ephemeral':
        // Home's own controller has made the claim; to the worker it is one like others.
        delete translated['ephemeral'];
        translated['persistentVolumeClaim'] = { claimName: claimFor(volume, facts) };
        break;
      default:
        throw new Refusal(
          'VolumeNotCarried',
          `volumes of kind ${source} are not carried to a worker cluster (volume ${volume.name}): use a claim of a StorageClass with the provisioner ${VolumeDriver}, or keep the pod off vnodes`,
        );
    }
  }
  return translated;
}

function claimFor(volume: Volume, facts: WorkerFacts): string {
  const claim = facts.claims?.get(volume.name);
  if (claim !== undefined) return claim;
  throw new Refusal('VolumeNotCarried', `no claim of the worker cluster is known for the volume ${volume.name}`);
}

function refuseCsiWithSecret(volume: Volume): void {
  const csi = volume['csi'] as { nodePublishSecretRef?: unknown } | undefined;
  if (csi?.nodePublishSecretRef === undefined) return;
  throw new Refusal(
    'VolumeNotCarried',
    `the CSI volume ${volume.name} refers to a Secret (nodePublishSecretRef), which is not carried: its name would mean another Secret in the worker cluster`,
  );
}

function translateSource(
  source: ProjectedSource,
  volume: string,
  index: number,
  home: Pod,
  facts: WorkerFacts,
): ProjectedSource {
  const translated: ProjectedSource = { ...source };
  for (const kind of Object.keys(source)) {
    switch (kind) {
      case 'configMap':
        translated.configMap = rename(source.configMap, 'configmap', home, facts);
        break;
      case 'secret':
        translated.secret = rename(source.secret, 'secret', home, facts);
        break;
      case 'downwardAPI': {
        const items = source.downwardAPI?.items?.map((item) => redirectItem(home, item));
        translated.downwardAPI = { ...source.downwardAPI, ...(items && { items }) };
        break;
      }
      case 'serviceAccountToken': {
        delete translated.serviceAccountToken;
        const { namespace = '', name, uid = '' } = home.metadata;
        const { path = 'token', user } = source.serviceAccountToken ?? {};
        translated.secret = {
          name: tokenSecretName(facts.bindingUID, namespace, name, uid),
          items: [{ key: tokenKey(volume, index), path, ...(user !== undefined && { user }) }],
        };
        break;
      }
      default:
        throw new Refusal('VolumeNotCarried', `volume ${volume} projects ${kind}, which Kubeocean does not carry`);
    }
  }
  return translated;
}
