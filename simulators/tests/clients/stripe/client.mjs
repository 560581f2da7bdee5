// The official Node client against the simulated Stripe.
import assert from 'node:assert/strict';
import http from 'node:http';
import Stripe from 'stripe';

const base = new URL(process.env.STRIPE_URL);
const stripe = new Stripe(process.env.STRIPE_KEY, {
  host: base.hostname,
  port: base.port,
  protocol: 'http',
  maxNetworkRetries: 0,
  telemetry: false,
});

const received = [];
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    received.push([request.headers['stripe-signature'], Buffer.concat(chunks)]);
    response.end();
  });
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

const press = async (page, action) => {
  const body = new URLSearchParams({ action });
  const answer = await fetch(page, { method: 'POST', body, redirect: 'manual' });
  return answer.headers.get('location');
};

const session = (more = {}, options = {}) =>
  stripe.checkout.sessions.create(
    {
      mode: 'payment',
      line_items: [
        { quantity: 1, price_data: { currency: 'usd', unit_amount: 3000, product_data: { name: 'Seat' } } },
      ],
      success_url: 'https://example.com/done?s={CHECKOUT_SESSION_ID}',
      metadata: { order_id: 'order-1' },
      ...more,
    },
    options,
  );

const endpoint = await stripe.webhookEndpoints.create({
  url: `http://127.0.0.1:${server.address().port}/hook`,
  enabled_events: ['checkout.session.completed'],
  api_version: '2026-10-28.endive',
});

const made = await session({}, { idempotencyKey: 'order-1#1' });
const again = await session({}, { idempotencyKey: 'order-1#1' });
assert.equal(made.id, again.id);
assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
await assert.rejects(session({ client_reference_id: 'x' }, { idempotencyKey: 'order-1#1' }), {
  type: 'StripeIdempotencyError',
});
assert.equal(await press(made.url, 'pay'), `https://example.com/done?s=${made.id}`);
const paid = await stripe.checkout.sessions.retrieve(made.id, { expand: ['payment_intent'] });
assert.equal(paid.payment_status, 'paid');

for (let wait = 0; wait < 200 && received.length === 0; wait += 1) {
  await new Promise((resume) => setTimeout(resume, 50));
}
const [signature, body] = received[0];
const event = stripe.webhooks.constructEvent(body, signature, endpoint.secret);
assert.equal(event.data.object.id, made.id);
assert.throws(() => stripe.webhooks.constructEvent(body, signature, 'whsec_other'), {
  type: 'StripeSignatureVerificationError',
});

const open = await session();
assert.equal((await stripe.checkout.sessions.expire(open.id)).status, 'expired');
await assert.rejects(stripe.checkout.sessions.expire(made.id), { statusCode: 400 });
await assert.rejects(session({ payment_method_types: ['card'] }), {
  code: 'payment_method_types_no_longer_supported',
});
await assert.rejects(stripe.checkout.sessions.retrieve('cs_test_none'), { code: 'resource_missing', statusCode: 404 });

const charge = paid.payment_intent.latest_charge;
const refund = await stripe.refunds.create({ charge, metadata: { refund_id: 'r1' } });
assert.equal(refund.status, 'succeeded');
await assert.rejects(stripe.refunds.create({ charge }), { code: 'charge_already_refunded' });
const refunds = await stripe.refunds.list({ charge });
assert.equal(refunds.data[0].metadata.refund_id, 'r1');
const sessions = [];
for await (const one of stripe.checkout.sessions.list({ limit: 1 })) {
  sessions.push(one.id);
}
assert.deepEqual(sessions, [open.id, made.id]);

const begun = await session({
  mode: 'subscription',
  line_items: [
    {
      quantity: 1,
      price_data: {
        currency: 'usd',
        unit_amount: 1000,
        recurring: { interval: 'month' },
        product_data: { name: 'Seat' },
      },
    },
  ],
  subscription_data: { metadata: { order_id: 'order-2' } },
});
await press(begun.url, 'pay');
const { subscription } = await stripe.checkout.sessions.retrieve(begun.id);
const ending = await stripe.subscriptions.update(subscription, { cancel_at_period_end: true });
assert.equal(ending.cancel_at, ending.items.data[0].current_period_end);
assert.equal((await stripe.subscriptions.cancel(subscription)).status, 'canceled');
server.close();
console.log('done');
