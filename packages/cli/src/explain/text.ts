/** Prints an explanation. Pure. */
import { oneLine } from '../visible.ts';
import type { Explanation } from './facts.ts';

const sections = [
  ['now', 'Now'],
  ['why', 'Why not, or not more'],
  ['next', 'What happens next'],
  ['events', 'Last events'],
  ['unknown', 'What cannot be known'],
] as const;

export function explanationText(explanation: Explanation): string {
  const parts = sections.flatMap(([field, title]) => {
    const lines = explanation[field];
    return lines.length > 0 ? ['', `${title}:`, ...lines.map((line) => `  ${oneLine(line)}`)] : [];
  });
  return `${[oneLine(explanation.summary), ...parts].join('\n')}\n`;
}
