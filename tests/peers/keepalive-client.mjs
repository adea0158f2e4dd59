// node keepalive-client.mjs URL [REQUESTS] [SOCKETS] [PAUSE_MS] [METHOD]: Node's http client with a keep-alive agent.
// With PAUSE_MS it rests that long after every tenth request, so that idle connections get old. Prints
// {"ok", "statuses": {code: n}, "errors": {code: n}, "connections": opened, "reused": n, "bodies": distinct ones}
import { createHash } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [url, requests = '200', sockets = '4', pause = '0', method = 'GET'] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(sockets) });
const seen = { ok: 0, statuses: {}, errors: {}, connections: 0, reused: 0, bodies: 0 };
const bodies = new Set();
const ports = new Set();
const count = (table, key) => { table[key] = (table[key] ?? 0) + 1; };

function once(serial) {
  return new Promise((resolve) => {
    const body = method === 'GET' || method === 'HEAD' ? null : JSON.stringify({ serial });
    const headers = body === null ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length };
    const request = http.request(url, { agent, method, headers, timeout: 20000 }, (response) => {
      const hash = createHash('sha256');
      response.on('data', (piece) => hash.update(piece));
      response.on('error', (error) => { count(seen.errors, error.code); resolve(); });
      response.on('end', () => {
        bodies.add(hash.digest('hex'));
        count(seen.statuses, response.statusCode);
        seen.ok += response.statusCode < 400;
        resolve();
      });
    });
    request.on('socket', (socket) => {
      if (request.reusedSocket) seen.reused += 1;
      const note = () => ports.add(socket.localPort);
      if (socket.connecting) socket.once('connect', note);
      else note();
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'TIMEOUT' })));
    request.on('error', (error) => { count(seen.errors, error.code ?? error.message); resolve(); });
    request.end(body ?? undefined);
  });
}

let serial = 0;
await Promise.all(
  Array.from({ length: Number(sockets) }, async () => {
    for (let done = 0; serial < Number(requests); done += 1) {
      serial += 1;
      await once(serial);
      if (Number(pause) && done % 10 === 9) await sleep(Number(pause));
    }
  }),
);
agent.destroy();
seen.connections = ports.size;
seen.bodies = bodies.size;
console.log(JSON.stringify(seen));
