// A gateway as users have it: Express, a JSON body parser, and a list that is made anew for each request.
// express.mjs PORT MODULES
import { createRequire } from 'node:module';

const [port, modules] = process.argv.slice(2);
const express = createRequire(`${modules}/`)('express');

const channels = (count) =>
  Array.from({ length: count }, (_, n) => {
    const id = `session-${String(n).padStart(5, '0')}`;
    return { id, name: id, status: 'connected', phone: null, profile: { name: 'Made Up', about: 'x'.repeat(56) } };
  });

const app = express();
app.use(express.json({ limit: '10mb' }));
app.get('/api/channels', (request, response) => {
  const list = channels(Number(request.query.n));
  response.json({ success: true, channels: list, total: list.length });
});
app.get('/small', (request, response) => response.json({ success: true, message: 'a small answer, as most are' }));
app.post('/v1/webhooks/receive', (request, response) => response.json({ success: true, received: true }));
app.listen(Number(port), '127.0.0.1');
