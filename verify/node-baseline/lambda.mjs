// Lambda's runtime API, as both baselines take events from it.
import http from "node:http";

/** All of a stream, as text. */
export async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Takes the next event (payload 2.0), answers it by its headers and its body as text, for ever. */
export async function onLambda(answer) {
  const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const call = (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const request = http.request({ hostname, port, method, path: `/2018-06-01/runtime/${path}`, agent, headers }, async (response) => {
        try {
          resolve({ headers: response.headers, text: await read(response) });
        } catch (error) {
          reject(error);
        }
      });
      request.on("error", reject);
      request.end(body);
    });
  for (;;) {
    const next = await call("GET", "invocation/next");
    const id = next.headers["lambda-runtime-aws-request-id"];
    try {
      const event = JSON.parse(next.text);
      const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : (event.body ?? "");
      await call("POST", `invocation/${id}/response`, JSON.stringify(await answer(event.headers, text)));
    } catch (error) {
      await call("POST", `invocation/${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
    }
  }
}
