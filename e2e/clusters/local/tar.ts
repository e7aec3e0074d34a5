/** A tar archive written byte for byte the same from the same entries: owner root, time zero, the order given. */

export interface TarEntry {
  /** Without a leading slash; folders need no trailing one. */
  path: string;
  type: 'file' | 'folder' | 'link';
  content?: Buffer;
  /** Target of a link. */
  target?: string;
  mode: number;
}

const block = 512;

function header(name: string, entry: TarEntry, typeFlag: string, size: number): Buffer {
  const buffer = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number): void => {
    buffer.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  buffer.write(name, 0, 100);
  octal(entry.mode, 100, 8);
  octal(0, 108, 8); // owner
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(0, 136, 12); // time
  buffer.write('        ', 148); // the checksum counts itself as spaces
  buffer.write(typeFlag, 156);
  if (typeFlag === '2') buffer.write(entry.target ?? '', 157, 100);
  buffer.write('ustar\x0000', 257);
  let sum = 0;
  for (const byte of buffer) sum += byte;
  buffer.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return buffer;
}

function padded(content: Buffer): Buffer[] {
  const rest = content.length % block;
  return rest === 0 ? [content] : [content, Buffer.alloc(block - rest)];
}

// GNU's way for names longer than the header holds: an entry of type L (or K for link targets) with the whole name.
function longName(text: string, typeFlag: 'L' | 'K'): Buffer[] {
  const content = Buffer.from(`${text}\0`);
  const entry: TarEntry = { path: '', type: 'file', mode: 0 };
  return [header('././@LongLink', entry, typeFlag, content.length), ...padded(content)];
}

/** The archive of the entries, in their order. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const path = entry.path.replace(/^\/+/, '') + (entry.type === 'folder' ? '/' : '');
    if (entry.target !== undefined && Buffer.byteLength(entry.target) > 99) parts.push(...longName(entry.target, 'K'));
    if (Buffer.byteLength(path) > 99) parts.push(...longName(path, 'L'));
    const content = entry.type === 'file' ? (entry.content ?? Buffer.alloc(0)) : Buffer.alloc(0);
    const typeFlag = { file: '0', folder: '5', link: '2' }[entry.type];
    const short = Buffer.from(path).subarray(0, 99).toString();
    parts.push(header(short, entry, typeFlag, content.length), ...padded(content));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}
