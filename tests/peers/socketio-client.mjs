// node socketio-client.mjs BASE_URL [polling|websocket|upgrade] [MESSAGES]: talks to socketio.mjs, prints what it saw:
// {"transport": the last one, "echoed": n, "binary": whether 100 000 bytes came back, "ticks": in order, "error": null}
import { io } from 'socket.io-client';

const [url, way = 'upgrade', messages = '20'] = process.argv.slice(2);
const socket = io(url, {
  transports: way === 'upgrade' ? ['polling', 'websocket'] : [way],
  reconnection: false,
  timeout: 8000,
});
const seen = { transport: null, echoed: 0, binary: false, ticks: true, error: null };
const done = () => {
  console.log(JSON.stringify(seen));
  process.exit(seen.error ? 1 : 0);
};
setTimeout(() => { seen.error ??= 'out of time'; done(); }, 15000);
socket.on('connect_error', (error) => { seen.error = error.message; done(); });
socket.on('connect', async () => {
  try {
    if (way === 'upgrade' && socket.io.engine.transport.name !== 'websocket') {
      await new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
    }
    for (let i = 0; i < Number(messages); i += 1) {
      seen.echoed += (await socket.timeout(5000).emitWithAck('say', `é ${i}`)) === `é ${i}`;
    }
    const bytes = Buffer.alloc(100_000, 'pattern');
    seen.binary = bytes.equals(await socket.timeout(5000).emitWithAck('say', bytes));
    let next = 0;
    await new Promise((resolve) => {
      socket.on('tick', (i) => {
        seen.ticks &&= i === next;
        next += 1;
        if (next === 100) resolve();
      });
      socket.emit('count', 100);
    });
    seen.transport = socket.io.engine.transport.name;
  } catch (error) {
    seen.error = error.message;
  }
  done();
});
