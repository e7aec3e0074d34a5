/** Kubeconfigs are given away by whoever owns the worker cluster: none of them may keep a process busy for minutes. */
import { expect, test } from 'vitest';
import { newKeyPair, selfSignedCertificate } from '../tls/index.ts';
import { KubeconfigError, parseKubeconfig } from './kubeconfig.ts';

const subject = { commonName: 'test', organizations: [], ips: [], dnsNames: [] };
const certificate = selfSignedCertificate(subject, newKeyPair(), new Date('2026-01-01'), new Date('2027-01-01'));

const kubeconfig = (server: string, more = ''): string => `
current-context: main
contexts: [{name: main, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: ${server}, certificate-authority-data: ${btoa(certificate)}}}]
users: [{name: u, user: {token: secret-token}}]
${more}`;

const HOST = 'https://api.example.test';
const serverOf = (text: string) => parseKubeconfig(text, { trust: 'untrusted' }).server;
/** Milliseconds; in a time that grows with the square each takes many times as long. */
const TIMEOUT = 5000;

test('a server of 300,000 slashes', { timeout: TIMEOUT }, () => {
  const slashes = '/'.repeat(300_000);
  expect(serverOf(kubeconfig(`${HOST}${slashes}x`))).toBe(`${HOST}${slashes}x`);
  expect(serverOf(kubeconfig(`${HOST}${slashes}`))).toBe(HOST);
  expect(serverOf(kubeconfig(`${HOST}//a//`))).toBe(`${HOST}//a`);
});

test('60,000 errors', { timeout: TIMEOUT }, () => {
  expect(() => serverOf(kubeconfig(HOST, '} '.repeat(60_000)))).toThrow(KubeconfigError);
});

// To look for the other, each key would be compared with all before it.
test('of a key that is there twice the last counts, as to kubectl', () => {
  expect(serverOf(kubeconfig(HOST, 'current-context: main'))).toBe(HOST);
  expect(() => serverOf(kubeconfig(HOST, 'current-context: other'))).toThrow(KubeconfigError);
});
