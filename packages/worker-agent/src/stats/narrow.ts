/** From all that a kubelet tells to what concerns one mount namespace. Pure. */
import { parseSummary, relabelExposition, type StatsPath } from '@kubeocean/shared/stats';

const UNCHANGED = new Map<string, string>();

/**
 * The answer with nothing in it but pods of `namespace`: no other pod, nothing of the node itself but its name.
 * @throws Error when a summary cannot be read.
 */
export function narrow(path: StatsPath, text: string, namespace: string): string {
  if (path !== 'stats/summary') {
    return relabelExposition(text, (labels) =>
      labels.get('namespace') === namespace && labels.get('pod') ? UNCHANGED : undefined,
    );
  }
  const { node, pods } = parseSummary(text);
  return JSON.stringify({
    node: { nodeName: node.nodeName },
    pods: pods.filter(({ podRef }) => podRef.namespace === namespace),
  });
}
