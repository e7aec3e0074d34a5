/** With what the bench ends; `npm test` tells by it whether another try is fair. */

export const EXIT = {
  fine: 0,
  failed: 1,
  /** The command line was refused. */
  usage: 2,
  /** The short form missed nothing but ratios of p99 (or had no time to take them), as a busy machine can make it. */
  slow: 3,
} as const;
