/** A plan in words. Pure. */
import { oneLine } from '../visible.ts';
import type { Plan, Step } from './found.ts';

const SHOWN = 5;

/** @param done whether the steps have been taken */
export function planText(binding: string, plan: Plan, done: boolean): string {
  const { servers } = plan;
  const lines = [`Computing cluster ${servers.computing}, worker cluster ${servers.worker}`, ''];
  if (plan.warnings.length > 0) lines.push('Look at this:', ...plan.warnings.map((one) => `  ${one}`), '');
  if (plan.problems.length > 0) lines.push('First:', ...plan.problems.map((one) => `  ${one}`), '');
  if (!done && plan.waiting.length > 0) lines.push(...waitingText(plan.waiting), '');
  if (plan.steps.length === 0) {
    lines.push(`ClusterBinding ${binding}: nothing of gocrane/kubeocean is left to take over.`);
  } else {
    lines.push(
      `ClusterBinding ${binding}: ${done ? 'taken over from' : 'what would be taken over from'} gocrane/kubeocean`,
    );
    for (const group of grouped(plan.steps)) {
      const [{ cluster, verb, resource, why } = group[0] as Step] = group;
      const names = group.map(({ namespace, name }) => (namespace ? `${namespace}/${name}` : name));
      const more = names.length > SHOWN ? [`    and ${names.length - SHOWN} more`] : [];
      lines.push(`  ${cluster}: ${verb} ${names.length} ${resource.kind}: ${why}`);
      lines.push(...names.slice(0, SHOWN).map((name) => `    ${name}`), ...more);
    }
  }
  if (plan.left.length > 0) {
    const more = plan.left.length > 4 * SHOWN ? [`  and ${plan.left.length - 4 * SHOWN} more`] : [];
    lines.push('', 'Left as it is:', ...plan.left.slice(-4 * SHOWN).map((one) => `  ${one}`), ...more);
  }
  if (!done && plan.steps.length > 0) {
    const next =
      plan.problems.length > 0 ? 'Nothing was changed.' : 'Nothing was changed; to do it: the same with --yes';
    lines.push('', next);
  }
  return `${lines.map(oneLine).join('\n')}\n`;
}

function waitingText(pods: readonly string[]): string[] {
  const more = pods.length > SHOWN ? [`  and ${pods.length - SHOWN} more`] : [];
  return [
    'Still at work, and waited for before anything else is done:',
    ...pods.slice(0, SHOWN).map((one) => `  computing: pod ${one}`),
    ...more,
  ];
}

/** Steps in a row that do the same to the same kind. */
function grouped(steps: readonly Step[]): Step[][] {
  const groups: Step[][] = [];
  let before = '';
  for (const step of steps) {
    const key = `${step.cluster} ${step.verb} ${step.resource.plural} ${step.why}`;
    if (key === before) groups.at(-1)?.push(step);
    else groups.push([step]);
    before = key;
  }
  return groups;
}
