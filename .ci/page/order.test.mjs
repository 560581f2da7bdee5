// The page of an order, in a real browser, with and without its script. Needs what claim.test.mjs needs, and AWS_URL, the AWS
// wire of the stack, and CLAIM_KEY: it puts into the table what `settlement` writes when a payment is reported.
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import path from "node:path";
import { after, before } from "node:test";
import { desktop, folder, narrow, overflow, phone, start, stepOn, until, url, violations } from "./browser.mjs";

const run = Date.now().toString(36);
const languages = ["en", "hi", "ru", "es", "pt"];
const minute = 60_000;

let browser, page, key;
const errors = [], requests = [];
before(async () => {
  assert.ok(process.env.AWS_URL && process.env.CLAIM_KEY, "AWS_URL and CLAIM_KEY are not set");
  ({ browser, page } = await start(errors));
  key = await page.locator('meta[name="admit-one-key"]').getAttribute("content");
  await page.close();
  page = await open({});
});
after(async () => { await browser?.close(); });
const step = stepOn(() => page);

/** A page of its own, as a buyer's browser opens it. */
const open = async (options) => {
  const context = await browser.newContext({ viewport: phone, colorScheme: "light", locale: "en-GB", ...options });
  const opened = await context.newPage();
  opened.setDefaultTimeout(15_000);
  opened.on("pageerror", (error) => errors.push(String(error)));
  // The browser itself reports an answer that is not 200; which those are is the test's doing.
  opened.on("console", (message) => { if (message.type() === "error" && !/status of (404|429)/.test(message.text())) errors.push(message.text()); });
  opened.on("request", (request) => requests.push(request.url()));
  return opened;
};
const buy = async (user) => {
  const body = JSON.stringify({ userId: user, transactionId: `order-${user}` });
  const answer = await fetch(`${url}/v1/invite/request`, { method: "POST", headers: { "x-api-key": key }, body });
  assert.equal(answer.status, 200);
  return answer.json();
};

/** An order, by the address of its page; `show` writes what the page shows of it. */
const order = () => {
  const id = randomUUID();
  const signed = Buffer.concat([Buffer.from("page_"), Buffer.from(id.replaceAll("-", ""), "hex")]);
  const token = createHmac("sha256", process.env.CLAIM_KEY).update(signed).digest().subarray(0, 16).toString("base64url");
  let revision = 0;
  const show = async (shown) => {
    revision += 1;
    const record = {
      state: "OPEN", title: "Gold club, monthly", provider: "stripe", currency: "usd", due: 3000, payUrl: "https://pay.example/session",
      payUntil: new Date(Date.now() + 60 * minute).toISOString(), isTest: false, requests: [], version: revision, revision, ...shown,
    };
    const item = { orderId: { S: id }, item: { S: "page" }, record: { S: JSON.stringify(record) }, revision: { N: String(revision) } };
    const answer = await fetch(process.env.AWS_URL, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.PutItem", "x-amz-date": "20260101T000000Z",
        authorization: "AWS4-HMAC-SHA256 Credential=page/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
      },
      body: JSON.stringify({ TableName: "Orders", Item: item }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  return { id, address: `${url}/pay/${id}?t=${token}`, show };
};
/** Each state, with what a page of it needs. */
const states = async () => {
  const ids = [(await buy(`one-${run}`)).requestId, (await buy(`two-${run}`)).requestId];
  return [
    ["open", {}], ["preparing", { payUrl: undefined }], ["test", { isTest: true }], ["pending", { state: "PENDING" }],
    ["underpaid", { state: "UNDERPAID", missing: 150 }], ["paid", { state: "PAID", payUrl: undefined, requests: ids.slice(0, 1) }],
    ["bundle", { state: "PAID", payUrl: undefined, requests: ids }], ["following", { state: "PAID", payUrl: undefined }],
    ["partly-refunded", { state: "PARTLY_REFUNDED", payUrl: undefined, requests: ids.slice(0, 1) }],
    ...["DISPUTED", "LOST", "REFUNDED", "REFUSED", "CANCELLED", "EXPIRED"].map((state) => [state.toLowerCase(), { state, payUrl: undefined }]),
  ];
};

step("a_buyer_sees_what_to_pay_and_where", async () => {
  const one = order();
  await one.show({});
  assert.equal((await page.goto(one.address)).status(), 200);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.locator("h1").textContent(), await page.title());
  assert.equal(await page.getByRole("link", { name: "Pay now" }).getAttribute("href"), "https://pay.example/session");
  assert.ok((await page.locator("#pay").boundingBox()).y < phone.height / 2, "the button is seen at once");
  assert.equal(await page.locator("#due").textContent(), "30.00 USD");
  assert.equal(await page.locator("#order").textContent(), one.id);
  assert.equal(await page.locator("#missing").count(), 0);
  assert.match(await page.locator("#help").textContent(), /\/paysupport .*@\w+/);
  await page.getByText("This page looks for your payment by itself.").waitFor();
  assert.deepEqual(await page.context().cookies(), []);
});

step("the_page_turns_by_itself_when_the_payment_arrives_and_leads_in", async () => {
  const { requestId, claimPage } = await buy(`turns-${run}`);
  const one = order();
  await one.show({});
  await page.goto(one.address);
  await page.locator("#pay").waitFor();
  await one.show({ state: "PAID", payUrl: undefined, requests: [requestId] });
  const way = page.getByRole("link", { name: "Open your access" });
  await way.waitFor({ timeout: 12_000 });
  assert.equal(await page.locator("#pay").count(), 0);
  const code = await page.getByRole("img", { name: "QR code" }).boundingBox();
  assert.ok(code.width >= 160 && Math.abs(code.width - code.height) < 2, JSON.stringify(code));
  await way.click();
  await page.locator("#command").waitFor();
  assert.equal(page.url(), claimPage);
});

step("it_asks_in_growing_gaps_and_stops_after_fifteen_minutes", async () => {
  const one = order();
  await one.show({ state: "PENDING" });
  const watched = await open({});
  await watched.clock.install();
  let polls = 0;
  await watched.route("**/v1/payment-status?*", async (route) => {
    await route.fulfill({ json: { status: "pending", message: "", data: { order_id: one.id, payment_status: "PENDING", confirmed: false } } });
    polls += 1;
  });
  await watched.goto(one.address);
  // The page's clock goes on by itself, too: within three seconds here a gap is neither over nor missed. A poll takes time of
  // ours, so it is waited for before the clock is turned on.
  for (const [before, gap] of [5, 10, 20, 40, 40].entries()) {
    await watched.clock.runFor((gap - 3) * 1000);
    assert.equal(polls, before, `not before ${gap} s`);
    await watched.clock.runFor(3_100);
    await until("a poll", () => polls === before + 1);
  }
  while (await watched.locator("#watching").isVisible()) {
    const before = polls;
    await watched.clock.runFor(41_000);
    await until("a poll, or the end", async () => polls > before || watched.locator("#watching").isHidden());
  }
  assert.ok(polls >= 20 && polls <= 26, `${polls} polls in fifteen minutes`);
  const last = polls;
  await watched.clock.runFor(10 * minute);
  assert.equal(polls, last, "nothing is asked any more");
  assert.equal(await watched.locator("#reload").isVisible(), true);
  await watched.context().close();
});

step("without_a_script_the_page_is_loaded_again_by_hand", async () => {
  const one = order();
  await one.show({ state: "UNDERPAID", missing: 150 });
  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(`${one.address}&lang=es`);
  assert.equal(await plain.locator("#watching").isVisible(), false, "nothing looks by itself");
  assert.equal(await plain.locator("#missing").textContent(), "1.50 USD");
  await one.show({ state: "PAID", payUrl: undefined, requests: [(await buy(`plain-${run}`)).requestId] });
  await until("the page has turned", async () => {
    await plain.locator("#reload").click();
    return await plain.locator("#enter-1").count() === 1;
  });
  assert.equal(await plain.locator("html").getAttribute("lang"), "es");
  assert.equal(await overflow(plain), 0);
  await plain.context().close();
});

step("it_is_accessible_and_fits_in_every_language_and_state_in_light_dark_and_at_any_width", async () => {
  for (const [state, shown] of await states()) {
    const one = order();
    await one.show(shown);
    const titles = new Set();
    for (const language of languages) {
      await page.goto(`${one.address}&lang=${language}`);
      titles.add(await page.title());
      for (const [name, colorScheme, size] of [["desktop", "light", desktop], ["phone", "light", phone], ["narrow-dark", "dark", narrow]]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize(size);
        if (folder) await page.screenshot({ path: path.join(folder, `order-${state}-${language}-${name}.png`), fullPage: true });
        assert.equal(await overflow(page), 0, `${state}, ${language}, ${name}: nothing is wider than the window`);
        assert.deepEqual(await violations(page), [], `${state}, ${language}, ${name}`);
      }
    }
    assert.equal(titles.size, languages.length, state);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(phone);
});

step("a_language_is_chosen_by_a_tap_and_the_token_stays", async () => {
  const one = order();
  await one.show({});
  await page.goto(one.address);
  for (const language of languages) {
    await page.locator(`nav a[hreflang="${language}"]`).click();
    await page.locator(`html[lang="${language}"]`).waitFor();
    assert.equal(await page.locator("#pay").count(), 1);
  }
});

step("without_its_token_it_shows_nothing", async () => {
  const one = order();
  await one.show({});
  assert.equal((await page.goto(one.address.replace(/t=.*/, "t=wrong"))).status(), 404);
  assert.equal(await page.getByText("Gold club").count(), 0);
  assert.deepEqual(await violations(page), []);
});

step("nothing_came_from_elsewhere_and_the_console_stayed_free_of_errors", async () => {
  const ours = (request) => request.startsWith(`${url}/pay/`) || request.startsWith(`${url}/c/`) || request.startsWith(`${url}/v1/payment-status?order_id=`);
  assert.deepEqual(requests.filter((request) => !ours(request) && !request.startsWith("data:")), []);
  assert.deepEqual(errors, []);
});
