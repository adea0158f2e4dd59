// The odd corners of HTTP, as Express and Node really do them: echo, streams, early answers, broken answers, tunnels.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { Router } from 'express';

// Bytes anyone can make again: byte i is (i * 131 + 7) mod 256 within a block whose length is prime, so that no
// piece of a usual buffer size can be lost, doubled or moved without a different hash.
const BLOCK = Buffer.from(Uint8Array.from({ length: 65521 }, (_, i) => (i * 131 + 7) & 255));

export function pattern(size) {
  return Buffer.alloc(size, BLOCK);
}

const number = (request, name, otherwise) => Number(request.query[name] ?? otherwise);

export function wire() {
  const router = Router({ strict: true });
  const counts = {}; // how often each route was asked: nothing here may be repeated behind a client's back
  const aborted = {}; // and how often the other side left before the answer was complete

  router.use(async (request, response, next) => {
    const name = request.url === '*' ? '*' : request.path;
    if (!name.startsWith('/control/')) {
      counts[`${request.method} ${name}`] = (counts[`${request.method} ${name}`] ?? 0) + 1;
      response.on('close', () => {
        if (!response.writableFinished) aborted[name] = (aborted[name] ?? 0) + 1;
      });
    }
    // What arrived, exactly; at /echo…, for `OPTIONS *`, and wherever X-Echo asks for it.
    if (name === '*' || /^\/echo(\/|$)/.test(name) || request.headers['x-echo']) return echo(request, response);
    return next();
  });

  router.get('/control/counts', (request, response) => {
    response.json({ counts, aborted, connections: request.app.locals.connections ?? 0 });
  });

  router.get('/download', async (request, response) => {
    let left = number(request, 'bytes', 1 << 20);
    response.type('application/octet-stream');
    if (!('chunked' in request.query)) response.set('Content-Length', String(left));
    while (left > 0 && !response.destroyed) {
      const piece = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) await drained(response);
    }
    response.end();
  });

  router.all('/upload', async (request, response) => {
    await sleep(number(request, 'stall_ms', 0)); // a slow reader: the sender must feel it
    response.json(await digest(request));
  });

  router.get('/slow', async (request, response) => {
    await sleep(number(request, 'ms', 1000));
    response.json({ success: true });
  });

  router.get('/events', async (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    for (let i = 0; i < number(request, 'count', 3) && !response.destroyed; i += 1) {
      if (i) await sleep(number(request, 'interval_ms', 100));
      response.write(`id: ${i}\ndata: ${JSON.stringify({ i, at: Date.now() })}\n\n`);
      response.flush?.(); // compression holds back what is not flushed
    }
    response.end();
  });

  router.get('/early-hints', (request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    response.json({ success: true });
  });

  // Says no before the body is there, and hangs up unless asked to stay.
  router.all('/early-413', (request, response) => {
    if (!('stay' in request.query)) response.set('Connection', 'close');
    response.status(413).json({ success: false, error: 'request entity too large' });
  });

  router.get('/trailers', (request, response) => {
    response.writeHead(200, { Trailer: 'X-Checksum', 'Content-Type': 'text/plain' });
    response.write('hello ');
    response.addTrailers({ 'X-Checksum': 'abc123' });
    response.end('world');
  });

  router.get('/cookies', (request, response) => {
    response.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2; HttpOnly', 'a=3']);
    response.json({ success: true });
  });
  router.get('/redirect', (request, response) => response.redirect('/echo?redirected=1'));
  router.all('/status/:code', (request, response) => {
    response.status(Number(request.params.code)).json({ status: Number(request.params.code) });
  });
  router.get('/headers', (request, response) => {
    // Past Express and Node, which would merge them: repeats apart and in two cases, a byte above 0x7f, an empty
    // value, a reason of one's own.
    request.socket.end(
      'HTTP/1.1 200 Quite Fine\r\nX-Zulu: 1\r\nx-alpha: caf\xe9\r\nX-Empty:\r\nX-Alpha: second\r\n' +
        'ETAG: "strong"\r\ncontent-type: text/plain\r\nCONTENT-length: 2\r\nConnection: close\r\n\r\nok',
      'latin1',
    );
  });

  // Broken on purpose: each ends its connection in the middle.
  router.all('/broken/no-answer', (request) => request.socket.destroy());
  router.get('/broken/length', (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' });
    response.write('{"success":true', () => sleep(20).then(() => request.socket.destroy()));
  });
  router.get('/broken/chunked', (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.write('{"success":true', () => sleep(20).then(() => request.socket.destroy()));
  });
  return router;
}

async function echo(request, response) {
  const body = await digest(request);
  response.json({
    method: request.method,
    target: request.url,
    version: request.httpVersion,
    headers: request.rawHeaders, // name, value, name, value …; one character per byte (ISO 8859-1)
    trailers: request.rawTrailers,
    body,
  });
}

async function digest(request) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of request) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

function drained(response) {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
  });
}

// `Upgrade: echo` gets a tunnel that says "hello" and sends every byte back, half-close included; anything else 426.
export function upgrade(request, socket, head) {
  if (request.headers.upgrade?.toLowerCase() !== 'echo') {
    const body = JSON.stringify({ success: false, error: 'only echo is spoken here' });
    socket.end(
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: echo\r\nConnection: Upgrade, close\r\n' +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return;
  }
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello\n');
  if (head.length) socket.write(head);
  socket.pipe(socket); // ends its side when the other side has ended
}
