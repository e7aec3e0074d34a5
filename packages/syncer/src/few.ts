/** Of what one object asks for, how much is asked of an API server at the same time. */

/** A pod may refer to ten thousand objects: all at once they would keep the calls for everybody else's pods waiting. */
const AT_ONCE = 4;

/** Does it to each, a few at a time, until one fails. @returns what became of them, in their order */
export async function fewAtOnce<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  let failed = false;
  async function next(): Promise<void> {
    for (const [at, item] of waiting) {
      if (failed) return;
      try {
        results[at] = await act(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return results;
}
