/** Pure functions of the leasing rules. */
export * from './account.ts';
export * from './allocate.ts';
export * from './ceiling.ts';
export * from './claims.ts';
export * from './intervals.ts';
export * from './limits.ts';
export * from './policies.ts';
export * from './quantity.ts';
export * from './reclaim.ts';
export * from './record.ts';
export * from './requests.ts';
export * from './resources.ts';
export * from './selector.ts';
export * from './tally.ts';
export * from './time.ts';
export * from './usage.ts';
export * from './windows.ts';
