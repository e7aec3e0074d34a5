/**
 * Work by key: a key never runs twice at once, adding it again while it waits changes nothing, and adding it while it
 * runs makes it run once more afterwards. Failed keys come back after a delay that doubles. Semantics of client-go's
 * util/workqueue.
 */
import { DueTimes } from './due.ts';
import { sleep } from './sleep.ts';

export interface WorkQueueOptions {
  /** Keys worked on at the same time. Default 8. */
  workers?: number;
  /** First delay of a failed key in milliseconds, doubled each time. Default 50. */
  baseDelayMs?: number;
  /** Longest delay in milliseconds. Default 60,000. */
  maxDelayMs?: number;
  /** Told of a handler that threw; the key is tried again by itself. */
  onError?: (key: string, error: unknown, failures: number) => void;
  /** Told when a key was worked on: how long it waited and ran, in seconds. */
  observe?: (run: { waitSeconds: number; workSeconds: number; failed: boolean }) => void;
  random?: () => number;
  /**
   * Whose a key is, such as its namespace: owners with keys that wait take turns, so that one with thousands does not
   * keep the others waiting; and none has more than three in four workers, or seven in eight with keys that continue, as calls
   * for its keys may hang, each until its deadline. Default: all are one owner's, and keys run in the order they came.
   */
  ownerOf?: (key: string) => string;
  /**
   * Whether a key continues what has begun, asked when it is added. Those come before the others of their owner, so that
   * a thousand beginnings do not keep every end waiting; but one in four goes to the others. One worker in four is left to them
   * for the same reason as to other owners, of which their own owner may have half. Default: none does.
   */
  continues?: (key: string) => boolean;
  /**
   * Whether what has not begun may begin now, asked whenever a worker is free; while it may not, only keys that continue
   * are worked on. Call {@link WorkQueue.look} when the answer may have changed. Default: always.
   */
  mayBegin?: () => boolean;
}

/** The keys of one owner that wait, in order, with the time they were added. */
interface Line {
  continued: Map<string, number>;
  begun: Map<string, number>;
  /** Keys taken from `continued` since one was taken from `begun`. */
  passed: number;
}

/** At most so many keys pass one that waits longer. */
const MOST_PASSING = 3;
/** Of the workers, what the keys of one owner that begin, and all that begin, may have. */
const SHARE = 0.75;
/** The same of one owner with its keys that continue: as it begins no more than that, some are left to these, and to others. */
const SHARE_CONTINUING = 0.875;

/** A key that is worked on, or about to be. */
interface Taken {
  key: string;
  addedAt: number;
  owner: string;
  begins: boolean;
}

/** setTimeout takes at most 2^31-1 ms; a longer wait is taken in parts. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Whether the failure of that number in a row is one to log: the first, the second, the fourth, the eighth and so on. */
export function isRarer(failures: number): boolean {
  return Number.isInteger(Math.log2(failures));
}

/** What a handler may ask for by its return value: to run again after so many milliseconds. */
export type Outcome = { againInMs: number } | undefined | void;

export class WorkQueue {
  private readonly options: Required<Pick<WorkQueueOptions, 'workers' | 'baseDelayMs' | 'maxDelayMs'>> &
    WorkQueueOptions;
  /** What waits, by owner; the owner whose turn it is comes first. */
  private readonly waiting = new Map<string, Line>();
  private waitingCount = 0;
  /** Owners with keys that continue, in turn: while nothing may begin the others, perhaps thousands, are not gone over. */
  private readonly continuing = new Set<string>();
  private readonly running = new Set<string>();
  /** How many keys of each owner are worked on, and how many of those begin. */
  private readonly runningOf = new Map<string, number>();
  private runningBeginnings = 0;
  /** Keys added while they ran. */
  private readonly dirty = new Set<string>();
  /** Keys that wait for a time, monotonic milliseconds, and the timer for the first of them. */
  private readonly delayed = new DueTimes();
  private alarm: { timer: NodeJS.Timeout; at: number } | undefined;
  private readonly failures = new Map<string, number>();
  private readonly handler: (key: string) => Promise<Outcome>;
  private started = false;
  private stopped = false;
  private idle = Promise.withResolvers<void>();

  constructor(handler: (key: string) => Promise<Outcome>, options: WorkQueueOptions = {}) {
    this.handler = handler;
    this.options = { workers: 8, baseDelayMs: 50, maxDelayMs: 60_000, ...options };
    this.idle.resolve();
  }

  /** Keys that wait, without those that wait for a time. */
  get depth(): number {
    return this.waitingCount;
  }

  /** Runs the key as soon as a worker is free. */
  add(key: string): void {
    if (this.stopped) return;
    this.delayed.delete(key);
    if (this.running.has(key)) this.dirty.add(key);
    else this.enqueue(key);
    this.dispatch();
  }

  /** Runs the key after `ms` milliseconds; the earlier of two times holds. */
  addAfter(key: string, ms: number): void {
    if (this.stopped) return;
    if (ms <= 0) return this.add(key);
    const dueAt = performance.now() + ms;
    const known = this.delayed.get(key);
    if (known !== undefined && known <= dueAt) return;
    this.delayed.set(key, dueAt);
    this.setAlarm();
  }

  /** Looks whether something that waits may run now: the answer of `mayBegin` may have changed. */
  look(): void {
    this.dispatch();
  }

  /** Begins to work. Keys added before wait until now. */
  start(): void {
    this.started = true;
    this.dispatch();
  }

  /** Takes nothing new, drops what waits, and resolves when what runs has ended or `deadlineMs` have passed. */
  async stop(deadlineMs = 10_000): Promise<void> {
    this.stopped = true;
    this.waiting.clear();
    this.continuing.clear();
    this.waitingCount = 0;
    this.dirty.clear();
    this.delayed.clear();
    this.setAlarm();
    const over = new AbortController();
    await Promise.race([this.idle.promise, sleep(deadlineMs, over.signal).catch(() => undefined)]);
    over.abort();
  }

  private enqueue(key: string): void {
    const owner = this.options.ownerOf?.(key) ?? '';
    const line = this.waiting.get(owner) ?? { continued: new Map(), begun: new Map(), passed: 0 };
    this.waiting.set(owner, line);
    if (line.continued.has(key)) return;
    const since = line.begun.get(key);
    if (this.options.continues?.(key)) {
      line.begun.delete(key);
      line.continued.set(key, since ?? performance.now());
      this.continuing.add(owner);
    } else if (since === undefined) line.begun.set(key, performance.now());
    if (since === undefined) this.waitingCount++;
  }

  /** The next key in turn, taken out; its owner goes to the end of the line of owners. */
  private next(): Taken | undefined {
    const { workers, ownerOf, continues } = this.options;
    const share = Math.ceil(workers * SHARE);
    const most = continues ? Math.ceil(workers * SHARE_CONTINUING) : share;
    const isOpen = this.waitingCount === 0 || (this.options.mayBegin?.() ?? true);
    const mayBegin = isOpen && !(continues && this.runningBeginnings >= share);
    for (const owner of mayBegin ? this.waiting.keys() : this.continuing) {
      const line = this.waiting.get(owner);
      const has = ownerOf ? (this.runningOf.get(owner) ?? 0) : 0;
      // No two owners have as much.
      if (!line || has >= most) continue;
      const { continued, begun } = line;
      const begins = mayBegin && has < share;
      if (!begins && continued.size === 0) continue;
      this.waiting.delete(owner);
      const passes = continued.size > 0 && (begun.size === 0 || !begins || line.passed < MOST_PASSING);
      line.passed = passes ? line.passed + 1 : 0;
      const from = passes ? continued : begun;
      for (const [key, addedAt] of from) {
        from.delete(key);
        this.waitingCount--;
        if (continued.size + begun.size > 0) this.waiting.set(owner, line);
        this.continuing.delete(owner);
        if (continued.size > 0) this.continuing.add(owner);
        return { key, addedAt, owner, begins: !passes };
      }
    }
    return undefined;
  }

  private dispatch(): void {
    if (!this.started || this.stopped) return;
    while (this.running.size < this.options.workers) {
      const taken = this.next();
      if (!taken) return;
      if (this.running.size === 0) this.idle = Promise.withResolvers<void>();
      this.running.add(taken.key);
      this.count(taken, 1);
      void this.work(taken);
    }
  }

  private count({ owner, begins }: Taken, by: 1 | -1): void {
    const running = (this.runningOf.get(owner) ?? 0) + by;
    if (running > 0) this.runningOf.set(owner, running);
    else this.runningOf.delete(owner);
    if (begins) this.runningBeginnings += by;
  }

  private async work(taken: Taken): Promise<void> {
    const { key, addedAt } = taken;
    const begunAt = performance.now();
    let failed = false;
    try {
      const outcome = await this.handler(key);
      this.failures.delete(key);
      if (outcome) this.addAfter(key, outcome.againInMs);
    } catch (error) {
      failed = true;
      const failures = (this.failures.get(key) ?? 0) + 1;
      this.failures.set(key, failures);
      this.options.onError?.(key, error, failures);
      const random = this.options.random ?? Math.random;
      const delay = Math.min(this.options.baseDelayMs * 2 ** (failures - 1), this.options.maxDelayMs);
      this.addAfter(key, delay * (0.75 + random() / 2));
    }
    this.options.observe?.({
      waitSeconds: (begunAt - addedAt) / 1000,
      workSeconds: (performance.now() - begunAt) / 1000,
      failed,
    });
    this.running.delete(key);
    this.count(taken, -1);
    if (this.dirty.delete(key)) this.add(key);
    if (this.running.size === 0) this.idle.resolve();
    this.dispatch();
  }

  /** Sees to it that a timer ends when the first delay does. */
  private setAlarm(): void {
    const at = this.delayed.next();
    // One that ends too early is set anew then.
    if (this.alarm && at !== undefined && this.alarm.at <= at) return;
    if (this.alarm) clearTimeout(this.alarm.timer);
    this.alarm = undefined;
    if (at === undefined) return;
    const ms = Math.min(Math.max(0, at - performance.now()), LONGEST_TIMER);
    const timer = setTimeout(() => this.ring(), ms);
    timer.unref();
    this.alarm = { timer, at };
  }

  private ring(): void {
    this.alarm = undefined;
    // Timers count whole milliseconds.
    for (const key of this.delayed.take(performance.now() + 1)) this.add(key);
    this.setAlarm();
  }
}
