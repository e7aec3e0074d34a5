/**
 * Wake-ups taken together, as network drivers do it (interrupt coalescing). A process that has much to do is woken for
 * every answer and every watch event by itself, and each time finds nothing of what it needs in the processor's caches:
 * a call costs more than twice as much alone as in a row (docs/decisions/0019). So at the end of a turn of the event loop a
 * busy process sleeps some milliseconds, and the next turn takes all that has come in meanwhile.
 */

export interface Coalescing {
  /** Rests while at least so many calls wait for their answers: then none of them is what everybody waits for. */
  calls: number;
  /** Rests while watches tell of at least so many events a second. */
  eventsPerSecond: number;
  /** How long a rest is, in milliseconds. The process does nothing at all meanwhile, but for V8's own threads. */
  restMs: number;
}

/** Events are counted over so long, in milliseconds. */
const WINDOW_MS = 250;

/** Says at the end of a turn of the event loop whether there is enough to do to rest before the next. */
export class Busyness {
  private readonly options: Coalescing;
  private calls = 0;
  private events = 0;
  private windowBegan: number;
  private manyEvents = false;

  /** @param now milliseconds of a monotonic clock */
  constructor(options: Coalescing, now: number) {
    this.options = options;
    this.windowBegan = now;
  }

  callBegan(): void {
    this.calls++;
  }

  callEnded(): void {
    this.calls--;
  }

  eventCame(): void {
    this.events++;
  }

  /** Whether to rest now, at the end of a turn. */
  rests(now: number): boolean {
    const passedMs = now - this.windowBegan;
    if (passedMs >= WINDOW_MS) {
      this.manyEvents = this.events * 1000 >= this.options.eventsPerSecond * passedMs;
      this.events = 0;
      this.windowBegan = now;
    }
    return this.manyEvents || this.calls >= this.options.calls;
  }
}

/** One for the process, as there is one event loop; none unless the process asked for it. */
let busyness: Busyness | undefined;
let restMs = 0;
let turnEnds = false;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/** From now on this process rests between turns of its event loop while it is busy. */
export function coalesceWakeUps(options: Coalescing): void {
  busyness = new Busyness(options, performance.now());
  ({ restMs } = options);
}

/** A call was sent; to be followed by one {@link callEnded}. */
export function callBegan(): void {
  busyness?.callBegan();
}

/** The answer of a call has been read, or there will be none. */
export function callEnded(): void {
  busyness?.callEnded();
  atEndOfTurn();
}

/** A watch told of something. */
export function eventCame(): void {
  busyness?.eventCame();
  atEndOfTurn();
}

/** Immediates run when all that had come in was handled, and what that led to was sent. */
function atEndOfTurn(): void {
  if (!busyness || turnEnds) return;
  turnEnds = true;
  setImmediate(restAfterTurn);
}

/** By its name profiles tell that nothing is computed in it (bench/flame.ts). */
function restAfterTurn(): void {
  turnEnds = false;
  if (busyness?.rests(performance.now())) Atomics.wait(nobodyWakes, 0, 0, restMs);
}
