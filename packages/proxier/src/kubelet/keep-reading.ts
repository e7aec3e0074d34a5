/**
 * A socket that is read to its end although nobody takes what is written to it any more. When an API server is done with a
 * session it closes at once, and answers what the client still sends (pings, the ends of its streams) with a reset. What
 * it had told before that, the result of the command with it, lies in our kernel then, perhaps not read yet; but a write
 * that fails makes Node destroy the socket, and those bytes are lost. With many sessions at once one in twenty ended so.
 */
import type { Socket } from 'node:net';

/**
 * From now on a write to the socket that fails is dropped, as are all that follow. That the peer is gone is told by
 * reading, which comes to an end or to an error soon after: a socket whose writes fail has no peer to wait for.
 */
export function keepReading(socket: Socket): void {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  let broken = false;
  type Done = (error?: Error | null) => void;
  const dropping = (done: Done): Done => {
    return (error) => {
      if (error) broken = true;
      done();
    };
  };
  socket._write = (chunk, encoding, done) => {
    if (broken) done();
    else write(chunk, encoding, dropping(done));
  };
  if (!writev) return;
  socket._writev = (chunks, done) => {
    if (broken) done();
    else writev(chunks, dropping(done));
  };
}
