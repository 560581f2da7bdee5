"""Takes calls, verifies them by the package of the specification's authors, and refuses them with another secret."""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

seen = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        seen.append((body, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
while len(seen) < int(sys.argv[1]):
    server.handle_request()
with open(os.environ["SECRET_FILE"]) as file:
    secret = file.read().strip()
for body, headers in seen:
    event = Webhook(secret).verify(body, headers)
    try:
        Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").verify(body, headers)
    except WebhookVerificationError:
        print(f"python: {event['type']} verified")
    else:
        sys.exit("another secret verifies")
