/**
 * Times for Leases by which others judge who lives. A Node counts as alive while the time in its Lease moves forward
 * (`RenewTime.Before`, pkg/controller/nodelifecycle): after a clock was set back by an hour, or under a leader whose clock is
 * behind that of the one before, all its renewals would count for nothing until the hour is over.
 */
export interface LeaseTimes {
  /** The time of day, but always later than what was given before. */
  next(): Date;
  /** Whatever comes is later than this, in milliseconds since 1970. */
  follow(ms: number): void;
}

export function createLeaseTimes(clock: () => number = Date.now): LeaseTimes {
  let last = 0;
  return {
    next() {
      last = Math.max(clock(), last + 1);
      return new Date(last);
    },
    follow(ms) {
      // What is no time is nobody's.
      if (ms > last) last = ms;
    },
  };
}
