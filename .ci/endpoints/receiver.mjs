// Takes one call, verifies it by the package of the specification's authors, and refuses it with another secret.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const wanted = Number(process.argv[2]);
const seen = [];
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  seen.push({ body: Buffer.concat(chunks).toString(), headers: request.headers });
  response.writeHead(204).end();
  if (seen.length === wanted) server.close();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
server.on("close", () => {
  const secret = process.env.SECRET_FILE ? read(process.env.SECRET_FILE) : "";
  for (const { body, headers } of seen) {
    const event = new Webhook(secret).verify(body, headers);
    let refused = false;
    try {
      new Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").verify(body, headers);
    } catch {
      refused = true;
    }
    if (!refused) throw new Error("another secret verifies");
    console.log(`node: ${event.type} verified`);
  }
  process.exit(0);
});

import { readFileSync } from "node:fs";
function read(path) {
  return readFileSync(path, "utf8").trim();
}
