// The first gateway's interface: sessions, QR codes, messages, media, webhooks; stale exactly as that one is stale.
// /control/… moves the phones and tells what really is; it wants no secret and posts no events.
import { Router, json, static as serveStatic } from 'express';

import { pattern } from './wire.mjs';

const STARTING_ANSWERS = 2; // how often a session just created says INITIALIZING before it has a QR code

// Where a session really stands → what the gateway says of it.
const SAID = { linked: 'connected', lost: 'connected', starting: 'unknown', 'waiting-qr': 'qr_required' };

export function channels({ secret, slow, sessions, stubborn }) {
  const router = Router();
  const known = new Map(sessions.map((id) => [id, { line: 'linked', starting: 0, codes: 0 }]));
  const received = [];
  let webhook = null;
  let restarting = 0;
  let sent = 0;

  const pause = () => (slow ? new Promise((resolve) => setTimeout(resolve, slow)) : null);
  const failure = (response, status, error) => response.status(status).json({ success: false, error });
  const missing = (response) => failure(response, 404, 'Channel not found');
  const described = (id) => {
    const status = restarting > 0 ? 'unknown' : SAID[known.get(id).line];
    if (restarting > 0) restarting -= 1;
    return { id, name: id, status };
  };
  const all = async () => {
    const list = [];
    for (const id of known.keys()) {
      await pause();
      if (known.has(id)) list.push(described(id));
    }
    return list;
  };

  router.use('/static', serveStatic(new URL('./static', import.meta.url).pathname));
  router.use(json({ limit: '10mb' }));
  router.use('/api', (request, response, next) => {
    if (secret && request.path !== '/health' && request.get('x-gateway-secret') !== secret) {
      return failure(response, 401, 'Unauthorized');
    }
    return next();
  });

  router.get('/api/channels', async (request, response) => {
    const list = await all();
    response.json({ success: true, channels: list, total: list.length });
  });
  router.get('/api/available-sessions', async (request, response) => {
    response.json({ success: true, sessions: await all() });
  });
  router.get('/api/channels/:id', async (request, response) => {
    if (!known.has(request.params.id)) return missing(response);
    await pause();
    return response.json({ success: true, channel: described(request.params.id) });
  });

  const create = (request, response) => {
    const id = request.params.id ?? request.body?.channel;
    if (typeof id !== 'string' || !id) return failure(response, 400, 'channel is required');
    if (!known.has(id)) known.set(id, { line: 'starting', starting: STARTING_ANSWERS, codes: 0 });
    return response.status(201).json({ success: true, channel: { id, name: id } });
  };
  router.post('/api/channels', create);
  router.post('/api/channels/:id/start-session', create);
  router.delete('/api/channels/:id', (request, response) => {
    if (!known.delete(request.params.id)) return missing(response);
    return response.json({ success: true, message: 'Channel deleted' });
  });

  router.get('/api/channels/:id/qr', (request, response) => {
    const { id } = request.params;
    const session = known.get(id);
    if (!session) return missing(response);
    if (session.line === 'starting') {
      if (session.starting > 0) {
        session.starting -= 1;
        return response.json({ success: true, qr: null, status: 'INITIALIZING' });
      }
      session.line = 'waiting-qr';
    }
    if (session.line === 'lost' && !stubborn.includes(id)) session.line = 'waiting-qr';
    if (session.line !== 'waiting-qr') return response.json({ success: true, qr: null, status: 'CONNECTED' });
    session.codes += 1;
    const header = '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x08\0\0\x01\x08\x08\0\0\0\0';
    const picture = Buffer.from(header + `${id} ${session.codes} `.repeat(20), 'latin1').toString('base64');
    return response.json({ success: true, qr: `data:image/png;base64,${picture}`, status: 'QRCODE' });
  });

  router.post('/api/messages', (request, response) => {
    const session = known.get(request.body?.channel);
    if (!session) return missing(response);
    if (session.line !== 'linked') return failure(response, 500, `Session ${request.body.channel} is disconnected`);
    sent += 1;
    return response.json({ success: true, messageId: `true_5500000000000@c.us_${sent}` });
  });
  router.get('/api/media/:id/:message', (request, response) => {
    if (!known.has(request.params.id)) return missing(response);
    return response.type('image/jpeg').send(pattern(Number(request.query.bytes ?? 65536)));
  });
  const setWebhook = (request, response) => {
    if (typeof request.body?.url !== 'string') return failure(response, 400, 'url is required');
    webhook = { url: request.body.url };
    return response.json({ success: true, webhook });
  };
  router.post('/api/webhooks', setWebhook);
  router.post('/api/channels/:id/webhook', setWebhook);
  router.get('/api/:id/contact/pn-lid/:contact', (request, response) => {
    response.json({ success: true, session: request.params.id, lid: `${request.params.contact}@lid` });
  });
  router.get(['/health', '/api/health'], (request, response) => response.json({ status: 'ok' }));
  router.get(['/', '/ui', '/ui/:page'], (request, response) => {
    response.send(`<!DOCTYPE html><title>Sessões</title><p>secret: ${secret ?? 'none'}</p>\n`);
  });

  router.post('/v1/webhooks/receive', (request, response) => {
    received.push(request.body); // and nothing is learnt from it: hence the stale status
    response.json({ success: true, received: true });
  });

  const control = (move) => (request, response) => {
    const session = known.get(request.params.id);
    if (!session) return missing(response);
    move(session);
    return response.json({ session: request.params.id, line: session.line });
  };
  router.post('/control/unlink/:id', control((session) => { session.line = 'lost'; }));
  router.post('/control/scan/:id', control((session) => {
    if (session.line === 'waiting-qr') session.line = 'linked';
  }));
  router.post('/control/restart', (request, response) => {
    restarting = known.size;
    response.json({ restarting });
  });
  router.get('/control/state', (request, response) => {
    const lines = Object.fromEntries([...known].map(([id, session]) => [id, session.line]));
    response.json({ lines, received, webhook, sent });
  });
  return router;
}
