// One tool of the TypeScript SDK, over streamable HTTP: `node sum_app.cjs VERSION PORT FOLDER`.
// Version 1 keeps a session for each client; version 2 needs none.
const { createRequire } = require("node:module");
const { createServer } = require("node:http");
const { randomUUID } = require("node:crypto");

const [version, port, folder] = process.argv.slice(2);
const find = createRequire(`${folder}/`);
const z = find("zod");
const known = { description: "Add.", inputSchema: { a: z.number(), b: z.number() } };
const add = ({ a, b }) => ({ content: [{ type: "text", text: `The sum of ${a} and ${b} is ${a + b}.` }] });

function one() {
  const { StreamableHTTPServerTransport } = find("@modelcontextprotocol/sdk/server/streamableHttp.js");
  const { McpServer } = find("@modelcontextprotocol/sdk/server/mcp.js");
  const sessions = new Map();
  return async (request, response) => {
    let transport = sessions.get(request.headers["mcp-session-id"]);
    if (!transport) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => sessions.set(id, transport),
      });
      const server = new McpServer({ name: "sum", version: "1.0.0" });
      server.registerTool("get-sum", known, add);
      await server.connect(transport);
    }
    await transport.handleRequest(request, response);
  };
}

function two() {
  const { McpServer, createMcpHandler } = find("@modelcontextprotocol/server");
  const { toNodeHandler } = find("@modelcontextprotocol/node");
  return toNodeHandler(createMcpHandler(() => {
    const server = new McpServer({ name: "sum", version: "1.0.0" });
    server.registerTool("get-sum", { ...known, inputSchema: z.object(known.inputSchema) }, add);
    return server;
  }));
}

createServer(version === "1" ? one() : two()).listen(Number(port), "127.0.0.1");
