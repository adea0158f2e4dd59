// A real Express gateway: the first gateway's interface (channels.mjs) and the odd corners of HTTP (wire.mjs).
// Prints {"port": N} once it listens and ends with SIGTERM. Settings come from the environment:
//   PORT (0: any free one) · SECRET · SLOW_MS (per session of a list) · COMPRESSION=1 · KEEP_ALIVE_MS (Node's 5000)
//   SESSIONS='["sales","support"]' · STUBBORN='["support"]' (those that show a QR code only after DELETE and POST)
//   TLS_CERT and TLS_KEY (files: speak https)
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import compression from 'compression';
import express from 'express';

import { channels } from './channels.mjs';
import { wire, upgrade } from './wire.mjs';

const env = process.env;

const app = express();
if (env.COMPRESSION) app.use(compression({ threshold: 0 }));
app.use(wire()); // before any body parser: these routes read their bodies themselves
app.use(
  channels({
    secret: env.SECRET,
    slow: Number(env.SLOW_MS ?? 0),
    sessions: JSON.parse(env.SESSIONS ?? '["sales","support","Front Desk"]'),
    stubborn: JSON.parse(env.STUBBORN ?? '[]'),
  }),
);
app.use((request, response) => response.status(404).json({ success: false, error: 'Route not found' }));
app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  return response.status(error.status ?? 500).json({ success: false, error: error.message });
});

const server = env.TLS_CERT
  ? https.createServer({ cert: readFileSync(env.TLS_CERT), key: readFileSync(env.TLS_KEY) }, app)
  : http.createServer(app);
if (env.KEEP_ALIVE_MS) server.keepAliveTimeout = Number(env.KEEP_ALIVE_MS);
server.on('upgrade', upgrade);
server.on('connection', (socket) => {
  app.locals.connections = (app.locals.connections ?? 0) + 1;
  socket.on('error', () => {});
});
server.listen(Number(env.PORT ?? 0), '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.on('SIGTERM', () => process.exit(0));
