/**
 * Frames of the two streaming protocols, followed just far enough to know where one ends, which ones only keep the
 * connection alive, and whether the worker has told the result of the command. A session that is cut in the middle looks like success to kubectl (client-go takes an error
 * stream without a word for "no error"); so when we end one, we say so in the stream that is for it.
 *
 * SPDY/3.1: every frame has eight bytes of header whose last three are the length. client-go opens the error stream
 * first, so it is number 1. WebSocket: RFC 6455, 5.2; the first byte of a message is the channel, 3 that of errors.
 * https://github.com/kubernetes/client-go/tree/master/tools/remotecommand
 */

export interface Frames {
  /**
   * Takes the next bytes from the worker.
   * @param stop stop at the first end of a frame.
   * @returns how many of them were taken; less than all only when stopped.
   */
  take(chunk: Buffer, stop?: boolean): number;
  /** What was taken last was more than pings: somebody uses the session. Their bytes come one by one, so chunks do not tell. */
  readonly active: boolean;
  /** No frame has begun that has not ended. */
  readonly whole: boolean;
  /** The worker has sent something in the error stream: the end of the session is told. */
  readonly told: boolean;
  /** Success would be told as well. */
  readonly tellsSuccess: boolean;
  /** What tells the client that the session failed, to be sent between two frames. */
  failure(message: string): Buffer;
}

/** How a protocol's frames look. */
interface Format {
  /** Bytes of header, as far as known from its beginning; more once enough of it is there. */
  headerLength: (header: Buffer) => number;
  /** Bytes of content, from the whole header. */
  contentLength: (header: Buffer) => number;
  /** Whether the frame says something in the error stream; `first` is the first byte of `length` bytes of content. */
  isError: (header: Buffer, first: number, length: number) => boolean;
  isPing: (header: Buffer) => boolean;
  failure: (text: string) => Buffer;
}

const SPDY_ERROR_STREAM = 1;
/** Control frame of version 3, type PING. */
const SPDY_PING = 0x80030006;

const SPDY: Format = {
  headerLength: () => 8,
  contentLength: (header) => header.readUIntBE(5, 3),
  isError: (header) => header.readUInt32BE(0) === SPDY_ERROR_STREAM,
  isPing: (header) => header.readUInt32BE(0) === SPDY_PING,
  failure(text) {
    const content = Buffer.from(text);
    const header = Buffer.alloc(8);
    header.writeUInt32BE(SPDY_ERROR_STREAM, 0);
    // Flag FIN: nothing more comes in this stream.
    header.writeUInt8(1, 4);
    header.writeUIntBE(content.length, 5, 3);
    return Buffer.concat([header, content]);
  },
};

const WEBSOCKET_ERROR_CHANNEL = 3;
const WEBSOCKET_CLOSE = Buffer.from([0x88, 2, 0x03, 0xe8]);

const opcodeOf = (header: Buffer) => (header[0] as number) & 0x0f;

function webSocket(base64: boolean): Format {
  const channel = base64 ? '3'.charCodeAt(0) : WEBSOCKET_ERROR_CHANNEL;
  const opcode = base64 ? 0x81 : 0x82;
  return {
    headerLength(header) {
      const second = header[1] ?? 0;
      const length = second & 0x7f;
      return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second & 0x80 ? 4 : 0);
    },
    contentLength(header) {
      const length = (header[1] as number) & 0x7f;
      if (length === 127) return Number(header.readBigUInt64BE(2));
      return length === 126 ? header.readUInt16BE(2) : length;
    },
    // A message begins with its channel, its further parts (opcode 0) do not; an empty one tells nothing: servers greet
    // with it a client that asked for no output (kubelet, createWebSocketStreams).
    isError: (header, first, length) => [1, 2].includes(opcodeOf(header)) && first === channel && length > 1,
    isPing: (header) => opcodeOf(header) === 9 || opcodeOf(header) === 10,
    failure(text) {
      const content = Buffer.from(base64 ? Buffer.from(text).toString('base64') : text);
      const header = Buffer.alloc(4);
      header.writeUInt8(opcode, 0);
      header.writeUInt8(126, 1);
      header.writeUInt16BE(content.length + 1, 2);
      return Buffer.concat([header, Buffer.from([channel]), content, WEBSOCKET_CLOSE]);
    },
  };
}

/** Longest text that is sent; a WebSocket frame of two length bytes holds it, in base64 too. */
const MOST_TEXT = 8192;

/**
 * @param protocol what was agreed on: `X-Stream-Protocol-Version`, `Sec-WebSocket-Protocol`, or nothing.
 */
export function followFrames(upgrade: string, protocol: string | undefined): Frames {
  const isWebSocket = upgrade.toLowerCase() === 'websocket';
  const format = isWebSocket ? webSocket(protocol?.includes('base64') ?? false) : SPDY;
  // Versions before 4 send words, later ones a Status.
  const asStatus = /^v([4-9]|\d\d)\./.test(protocol ?? '');
  const header = Buffer.alloc(16);
  let have = 0;
  let left = 0;
  let told = false;
  let firstOfContent = false;
  let ping = false;
  let active = false;

  /** Ends the header when it is all there. */
  function beginContent(): boolean {
    const soFar = header.subarray(0, have);
    if (have < 2 || have < format.headerLength(soFar)) return false;
    left = format.contentLength(soFar);
    firstOfContent = true;
    ping = format.isPing(soFar);
    active ||= !ping;
    return true;
  }

  return {
    take(chunk, stop = false) {
      let at = 0;
      active = false;
      while (at < chunk.length) {
        if (left === 0) {
          header[have++] = chunk[at++] as number;
          if (!beginContent()) continue;
        }
        if (left > 0 && at < chunk.length) {
          if (firstOfContent) {
            told ||= format.isError(header.subarray(0, have), chunk[at] as number, left);
            firstOfContent = false;
          }
          const part = Math.min(left, chunk.length - at);
          active ||= !ping;
          left -= part;
          at += part;
        }
        if (left === 0) {
          have = 0;
          if (stop) return at;
        }
      }
      return at;
    },
    get active() {
      return active;
    },
    get whole() {
      return have === 0 && left === 0;
    },
    get told() {
      return told;
    },
    tellsSuccess: asStatus,
    failure(message) {
      const text = message.slice(0, MOST_TEXT / 4);
      const status = { metadata: {}, status: 'Failure', message: text, reason: 'InternalError', code: 500 };
      return format.failure(asStatus ? JSON.stringify(status) : text);
    },
  };
}
