/**
 * Whether lent pods are left that would go on without a record, asked of the API server itself: the agent watches only pods
 * that have a node, and what it knows is a moment behind.
 */
import { Label, type LeasedNode, labelValue } from '@kubeocean/shared/api';
import { type KubeClient, type KubeObject, type ObjectMeta, Pods } from '@kubeocean/shared/kube';

const PAGE_SIZE = 50;
/** Of pods that wait for a node: no scheduler gives one to a pod that ended or is deleted, whoever holds it. */
const UNPLACED = 'spec.nodeName=,status.phase!=Succeeded,status.phase!=Failed';

export class LeftPods {
  private readonly client: KubeClient;
  private readonly signal: AbortSignal;
  /** By mount namespace and binding: a binding's nodes are given back together, so it is asked once for all. */
  private readonly unplaced = new Map<string, Promise<string | undefined>>();

  /** For the writes of one look. */
  constructor(client: KubeClient, signal: AbortSignal) {
    this.client = client;
    this.signal = signal;
  }

  /**
   * A pod of the record's binding that is on its node, or waits for a node; undefined when there is none. One that is given
   * its node meanwhile is found by the second question.
   * @throws ApiError | ConnectionError
   */
  async under({ metadata, spec }: LeasedNode): Promise<string | undefined> {
    const { namespace } = metadata;
    const labelSelector = `${Label.clusterBinding}=${labelValue(spec.cluster)}`;
    const key = `${namespace}/${spec.cluster}`;
    const waiting =
      this.unplaced.get(key) ??
      this.first(namespace, labelSelector, UNPLACED, ({ deletionTimestamp }) => !deletionTimestamp);
    this.unplaced.set(key, waiting);
    return (
      (await waiting) ?? (await this.first(namespace, labelSelector, `spec.nodeName=${spec.nodeName}`, () => true))
    );
  }

  private async first(
    namespace: string,
    labelSelector: string,
    fieldSelector: string,
    counts: (metadata: ObjectMeta) => boolean,
  ): Promise<string | undefined> {
    const selection = { namespace, labelSelector, fieldSelector, limit: PAGE_SIZE };
    const options = { signal: this.signal, metadataOnly: true };
    for await (const { items } of this.client.pages<KubeObject>(Pods, selection, options)) {
      const found = items.find(({ metadata }) => counts(metadata));
      if (found) return found.metadata.name;
    }
    return undefined;
  }
}
