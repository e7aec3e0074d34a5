/** From all that a kubelet tells to what concerns one mount namespace. Pure. */
import { parseSummary, relabelExposition, ScrapeError, type StatsPath } from '@kubeocean/shared/stats';

const UNCHANGED = new Map<string, string>();

/**
 * The answer with nothing in it but pods of `namespace`: no other pod, nothing of the node itself but its name, and
 * whether the kubelet could tell what its pods use.
 * @throws Error when a summary cannot be read.
 */
export function narrow(path: StatsPath, text: string, namespace: string): string {
  if (path !== 'stats/summary') {
    return relabelExposition(text, (labels, metric) => {
      const isOfPod = labels.get('namespace') === namespace && labels.get('pod');
      const tellsFailure = path === 'metrics/resource' && metric === ScrapeError && labels.size === 0;
      return isOfPod || tellsFailure ? UNCHANGED : undefined;
    });
  }
  const { node, pods } = parseSummary(text);
  return JSON.stringify({
    node: { nodeName: node.nodeName },
    pods: pods.filter(({ podRef }) => podRef.namespace === namespace),
  });
}
