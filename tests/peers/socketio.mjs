// A socket.io server: echoes what comes (text, bytes) with an acknowledgement. Prints {"port": N}; PORT sets it.
import http from 'node:http';

import { Server } from 'socket.io';

const server = http.createServer((request, response) => response.writeHead(404).end('{}'));
const io = new Server(server, { maxHttpBufferSize: 1e8 });
io.on('connection', (socket) => {
  socket.on('say', (payload, acknowledge) => acknowledge(payload));
  socket.on('count', (n) => {
    for (let i = 0; i < n; i += 1) socket.emit('tick', i);
  });
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
process.on('SIGTERM', () => process.exit(0));
