/** What every process has: options, logging, health and metrics servers, leader election, an orderly end. */
export * from './cache.ts';
export * from './health.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './options.ts';
export * from './run.ts';
