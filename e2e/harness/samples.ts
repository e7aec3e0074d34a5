/** What one of our processes says of itself in metrics. */
import type { RunningProcess } from './process.ts';

/** Sum of its samples whose line matches. */
export async function sumOf(process: RunningProcess, line: RegExp): Promise<number> {
  const text = await (await fetch(`${await process.metrics()}/metrics`)).text();
  return text
    .split('\n')
    .filter((each) => line.test(each))
    .reduce((sum, each) => sum + Number(each.slice(each.lastIndexOf(' '))), 0);
}
