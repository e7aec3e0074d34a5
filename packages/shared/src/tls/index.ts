/** Making certificates and requests for them: what node:crypto cannot. */
export * from './x509.ts';
