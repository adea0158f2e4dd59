// http-proxy-middleware on Node's own server: `node middleware.mjs PORT UPSTREAM SESSION MODULES`.
import http from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, upstream, session, modules] = process.argv.slice(2);
const { createProxyMiddleware, responseInterceptor } = await import(
  pathToFileURL(createRequire(modules + "/").resolve("http-proxy-middleware")).href
);
const target = `http://127.0.0.1:${upstream}`;
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
const pass = createProxyMiddleware({ target, agent, xfwd: true });
const correct = createProxyMiddleware({
  target,
  agent,
  xfwd: true,
  selfHandleResponse: true,
  on: {
    proxyRes: responseInterceptor(async (body) => {
      const document = JSON.parse(body.toString("utf8"));
      for (const channel of document.channels) if (channel.id === session) channel.status = "disconnected";
      return JSON.stringify(document);
    }),
  },
});
http
  .createServer({ keepAlive: true, keepAliveTimeout: 3_600_000 }, (request, response) => {
    (request.url.startsWith("/api/") ? correct : pass)(request, response, () => response.end());
  })
  .listen(Number(port), "127.0.0.1", 2048);
