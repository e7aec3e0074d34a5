/** What tests of all packages need. */
export * from './api-server.ts';
export * from './connection.ts';
