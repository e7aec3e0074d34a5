import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { switchingAnswer, upgradeOf, upstreamHeaders } from './headers.ts';

const own = { host: 'worker:6443', upgrade: 'SPDY/3.1', userAgent: 'k', authorization: 'Bearer ours' };

describe('headers to the worker', () => {
  it('are the listed ones and ours, repeated lines staying repeated', () => {
    const raw = [
      ['Host', 'home', 'Authorization', 'Bearer theirs', 'X-Stream-Protocol-Version', 'v5', 'Connection', 'Upgrade'],
      ['x-stream-protocol-version', 'v4', 'Upgrade', 'SPDY/3.1', 'Impersonate-User', 'admin', 'X-Remote-User', 'x'],
      ['Content-Length', '5', 'Transfer-Encoding', 'chunked', 'Cookie', 'c', 'X-Forwarded-For', '1.1.1.1'],
    ].flat();
    const expected = [
      ['Host', 'worker:6443', 'User-Agent', 'k', 'Authorization', 'Bearer ours'],
      ['X-Stream-Protocol-Version', 'v5', 'x-stream-protocol-version', 'v4'],
      ['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1', 'Content-Length', '0'],
    ].flat();
    expect(upstreamHeaders(raw, own)).toEqual(expected);
  });

  it('leave out the token of a browser, which is for home’s API server', () => {
    const token = 'base64url.bearer.authorization.k8s.io.c2VjcmV0';
    const sent = (value: string) => upstreamHeaders(['Sec-WebSocket-Protocol', value], own).join(' ');
    expect(sent(`v4.channel.k8s.io, ${token},v5.channel.k8s.io`)).toContain(
      'Sec-WebSocket-Protocol v4.channel.k8s.io, v5.channel.k8s.io Connection',
    );
    expect(sent(token)).not.toContain('Sec-WebSocket-Protocol');
  });

  it('never carry a name, a right or a body of the caller', () => {
    const name = fc.oneof(
      fc.constantFrom(
        'AUTHORIZATION',
        'Impersonate-Group',
        'x-remote-extra-a',
        'host',
        'cookie',
        'te',
        'expect',
        'trailer',
      ),
      fc.stringMatching(/^[A-Za-z-]{1,20}$/),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.constant('THEIRS'))), (pairs) => {
        const sent = upstreamHeaders(pairs.flat(), own);
        const theirs = sent
          .filter((_, i) => i % 2 === 0 && sent[i + 1] === 'THEIRS')
          .map((header) => header.toLowerCase());
        expect(theirs.every((header) => /^(sec-websocket-|x-stream-protocol-version)/.test(header))).toBe(true);
      }),
    );
  });
});

describe('protocol asked for', () => {
  it.each([
    ['SPDY/3.1', 'SPDY/3.1'],
    ['spdy/3.1', 'SPDY/3.1'],
    ['WebSocket', 'websocket'],
    ['h2c', undefined],
    ['constructor', undefined],
    ['websocket, SPDY/3.1', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (header, expected) => expect(upgradeOf(header)).toBe(expected));
});

describe('the 101', () => {
  const asked = {
    upgrade: 'websocket',
    rawHeaders: ['Sec-WebSocket-Protocol', 'v5.channel.k8s.io, v4.channel.k8s.io'],
  };
  const answer = (...rawHeaders: string[]) => ({
    rawHeaders,
    headers: Object.fromEntries(
      rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name.toLowerCase(), rawHeaders[i + 1]]])),
    ),
  });

  it('passes on what belongs to the protocol and nothing else', () => {
    const text = switchingAnswer(
      asked,
      answer('Upgrade', 'websocket', 'Sec-WebSocket-Protocol', 'v4.channel.k8s.io', 'Set-Cookie', 'x', 'Audit-Id', 'y'),
    );
    expect(text).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n',
    );
  });

  it.each([
    ['another protocol', answer('Upgrade', 'SPDY/3.1')],
    ['none at all', answer()],
    ['a subprotocol not offered', answer('Upgrade', 'websocket', 'Sec-WebSocket-Protocol', 'base64.channel.k8s.io')],
    ['a stream protocol not offered', answer('Upgrade', 'websocket', 'X-Stream-Protocol-Version', 'v4.channel.k8s.io')],
  ])('is not taken with %s', (_, wrong) => expect(switchingAnswer(asked, wrong)).toBeInstanceOf(Error));
});
