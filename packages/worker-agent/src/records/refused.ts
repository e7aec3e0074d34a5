/**
 * Writes of records that the API server refuses, and how long each waits until it is tried again. Looks come every second where
 * many pods come and go: a webhook that refuses a thousand records would be asked a thousand times a second, for ever, and
 * where it hangs, all other leases would wait for it at each look, for minutes.
 */
import type { RecordWrite } from './plan.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;
/** Most of them that are tried again at one look: as many as are written at once, so that where they hang it is for one answer. */
const MOST_AGAIN = 16;

interface Refused {
  /** What of the lease it was to tell. */
  step: string;
  words: string;
  count: number;
  /** Milliseconds, monotonic. */
  until: number;
}

export class RefusedRecords {
  private readonly known = new Map<string, Refused>();
  private readonly clock: () => number;

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number = () => performance.now()) {
    this.clock = clock;
  }

  /**
   * Parts what is to be written now from what waits because it was refused, with the server's words. Whoever waited longest is
   * tried first; a lease that has come to another step since does not wait.
   */
  part(writes: readonly RecordWrite[]): { now: RecordWrite[]; waiting: { write: RecordWrite; message: string }[] } {
    if (this.known.size === 0) return { now: [...writes], waiting: [] };
    const keys = new Set(writes.map(keyOf));
    for (const key of this.known.keys()) if (!keys.has(key)) this.known.delete(key);
    const at = this.clock();
    const due = writes
      .flatMap((write) => ({ write, until: this.of(write)?.until ?? Infinity }))
      .filter(({ until }) => until <= at)
      .sort((a, b) => a.until - b.until)
      .slice(0, MOST_AGAIN);
    const again = new Set(due.map(({ write }) => write));
    const now = writes.filter((write) => !this.of(write) || again.has(write));
    const waiting = writes.flatMap((write) => {
      const message = again.has(write) ? undefined : this.of(write)?.words;
      return message === undefined ? [] : [{ write, message }];
    });
    return { now, waiting };
  }

  refused(write: RecordWrite, words: string): void {
    const key = keyOf(write);
    const step = stepOf(write);
    const before = this.known.get(key);
    const count = before?.step === step ? before.count + 1 : 1;
    const waitMs = Math.min(FIRST_MS * 2 ** Math.min(count - 1, 30), LONGEST_MS);
    this.known.set(key, { step, words, count, until: this.clock() + waitMs });
  }

  /** It was made: what keeps the others may be mended, too. */
  made(write: RecordWrite): void {
    if (this.known.has(keyOf(write))) this.known.clear();
  }

  private of(write: RecordWrite): Refused | undefined {
    const known = this.known.get(keyOf(write));
    return known?.step === stepOf(write) ? known : undefined;
  }
}

function keyOf(write: RecordWrite): string {
  const { namespace, name } = write.kind === 'create' ? write.record : write.record.metadata;
  return `${write.kind} ${namespace}/${name}`;
}

/** The end of a lease is told at once, whatever was refused before. */
function stepOf(write: RecordWrite): string {
  if (write.kind !== 'create' && write.kind !== 'status') return '';
  const { phase, reclaimStage } = write.kind === 'create' ? write.record.status : write.status;
  return `${phase} ${reclaimStage ?? ''}`;
}
