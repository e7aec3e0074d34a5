/** What is made of measured numbers. */

/** The smallest value that at least `share` (0 to 1) of the values do not exceed. NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Row {
  what: string;
  vnode: number;
  kubelet: number;
  unit: string;
  /** What is shown of the comparison, and whether it is good enough. */
  target?: { text: string; met: (vnode: number, kubelet: number) => boolean };
}

/** Three digits that count; whole numbers from 100 on. */
export function digits(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** The rows as a table in Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ what, vnode, kubelet, unit, target }) => {
    const verdict = target ? `${target.text}: ${target.met(vnode, kubelet) ? 'met' : '**missed**'}` : '';
    const ratio = kubelet === 0 ? '–' : `${digits(vnode / kubelet)}×`;
    return `| ${what} | ${digits(vnode)} ${unit} | ${digits(kubelet)} ${unit} | ${ratio} | ${verdict} |`;
  });
  return ['| | vnode | kubelet | ratio | target |', '|---|---|---|---|---|', ...lines].join('\n');
}
