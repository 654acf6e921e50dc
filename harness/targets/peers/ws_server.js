// A WebSocket server as one writes it with ws for Node.js: every client of /live hears what is posted to /post.
// node ws_server.js HOST PORT BACKLOG runs until it is ended.
"use strict";

const http = require("http");
const { WebSocket, WebSocketServer } = require("ws");

const [host, port, backlog] = process.argv.slice(2);

const server = http.createServer((request, response) => {
  if (request.method !== "POST" || request.url !== "/post") {
    response.writeHead(404).end();
    return;
  }
  let line = "";
  request.setEncoding("utf8");
  request.on("data", (part) => { line += part; });
  request.on("end", () => {
    for (const fan of fans.clients) {
      if (fan.readyState === WebSocket.OPEN) fan.send(line);
    }
    response.writeHead(204).end();
  });
});

const fans = new WebSocketServer({ server, path: "/live" });

server.listen({ host, port: Number(port), backlog: Number(backlog) });
