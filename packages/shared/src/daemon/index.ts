/** What every process has: options, logging, health and metrics servers, leader election, an orderly end. */
export * from './cache.ts';
export * from './expiring.ts';
export * from './health.ts';
export * from './limiter.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './option-forms.ts';
export * from './options.ts';
export * from './proxier-options.ts';
export * from './run.ts';
export * from './seldom.ts';
export * from './token-reviews.ts';
