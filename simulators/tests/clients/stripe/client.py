"""The official Python client against the simulated Stripe."""

import http.server
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import stripe

URL = os.environ["STRIPE_URL"]
client = stripe.StripeClient(
    os.environ["STRIPE_KEY"],
    base_addresses={"api": URL},
    max_network_retries=0,
)
received = []


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.append((self.headers["stripe-signature"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def press(page, action):
    """Presses a button of a hosted page, and says where the browser is sent."""
    body = urllib.parse.urlencode({"action": action}).encode()
    try:
        urllib.request.build_opener(NoRedirect).open(page, body, timeout=10)
    except urllib.error.HTTPError as error:
        return error.headers["location"]
    return None


def session(options=None, **more):
    params = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {"currency": "usd", "unit_amount": 3000, "product_data": {"name": "Seat"}},
            }
        ],
        "success_url": "https://example.com/done?s={CHECKOUT_SESSION_ID}",
        "metadata": {"order_id": "order-1"},
        **more,
    }
    return client.v1.checkout.sessions.create(params, options or {})


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"not refused with {kind}")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = client.v1.webhook_endpoints.create(
    {
        "url": f"http://127.0.0.1:{server.server_port}/hook",
        "enabled_events": ["checkout.session.completed"],
        "api_version": "2026-10-28.endive",
    }
)

made = session({"idempotency_key": "order-1#1"}, payment_intent_data={"metadata": {"order_id": "order-1"}})
again = session({"idempotency_key": "order-1#1"}, payment_intent_data={"metadata": {"order_id": "order-1"}})
assert made.id == again.id
refused(stripe.IdempotencyError, lambda: session({"idempotency_key": "order-1#1"}))
assert press(made.url, "pay") == f"https://example.com/done?s={made.id}"
paid = client.v1.checkout.sessions.retrieve(made.id, {"expand": ["line_items", "payment_intent.latest_charge"]})
assert (paid.status, paid.payment_status) == ("complete", "paid")
assert paid.line_items.data[0].amount_total == 3000
charge = paid.payment_intent.latest_charge
assert charge.metadata["order_id"] == "order-1"

for _ in range(200):
    if received:
        break
    time.sleep(0.05)
signature, body = received[0]
event = client.construct_event(body, signature, endpoint.secret)
assert event.type == "checkout.session.completed" and event.data.object.id == made.id
refused(stripe.SignatureVerificationError, lambda: client.construct_event(body, signature, "whsec_other"))
refused(stripe.SignatureVerificationError, lambda: client.construct_event(body + b" ", signature, endpoint.secret))

expired = client.v1.checkout.sessions.expire(session().id)
assert expired.status == "expired"
error = refused(stripe.InvalidRequestError, lambda: client.v1.checkout.sessions.expire(made.id))
assert error.http_status == 400 and error.request_id.startswith("req_")
refused(stripe.InvalidRequestError, lambda: session(payment_method_types=["card"]))
wrong = stripe.StripeClient("sk_test_wrong", base_addresses={"api": URL})
refused(stripe.AuthenticationError, lambda: wrong.v1.balance.retrieve())

refund = client.v1.refunds.create({"charge": charge.id, "amount": 1000})
assert refund.status == "succeeded"
error = refused(stripe.InvalidRequestError, lambda: client.v1.refunds.create({"charge": charge.id, "amount": 2001}))
assert error.param == "amount"

for _ in range(3):
    session()
listed = client.v1.checkout.sessions.list({"limit": 2})
assert len(listed.data) == 2 and listed.has_more
assert len(list(listed.auto_paging_iter())) == 5
types = [event.type for event in client.v1.events.list({"types": ["refund.created", "checkout.session.expired"]}).data]
assert types == ["refund.created", "checkout.session.expired"], types

begun = session(
    mode="subscription",
    line_items=[
        {
            "quantity": 1,
            "price_data": {
                "currency": "usd",
                "unit_amount": 1000,
                "recurring": {"interval": "month"},
                "product_data": {"name": "Seat"},
            },
        }
    ],
    subscription_data={"metadata": {"order_id": "order-2"}},
)
press(begun.url, "pay")
begun = client.v1.checkout.sessions.retrieve(begun.id)
subscription = client.v1.subscriptions.update(begun.subscription, {"cancel_at_period_end": True})
assert subscription.status == "active" and subscription.metadata["order_id"] == "order-2"
invoice = client.v1.invoices.retrieve(begun.invoice, {"expand": ["payments"]})
assert invoice.parent.subscription_details.subscription == subscription.id
payment = invoice.payments.data[0].payment.payment_intent
found = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": payment}})
assert found.data[0].invoice == invoice.id
portal = client.v1.billing_portal.sessions.create({"customer": subscription.customer})
assert portal.url.startswith(URL)
assert client.v1.subscriptions.cancel(subscription.id).status == "canceled"
client.v1.coupons.create({"id": "adm_1", "percent_off": 10, "duration": "once"})
error = refused(stripe.InvalidRequestError, lambda: client.v1.coupons.create({"id": "adm_1", "percent_off": 10}))
assert error.code == "resource_already_exists"
assert client.v1.balance.retrieve().livemode is False
print("done")
