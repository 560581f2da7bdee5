// The page at `GET /` of the local stack, in a real browser. Needs a running local stack in simulated mode.
//   STACK_URL   where it is, such as http://127.0.0.1:9000
//   SCREENSHOTS  a folder to put page*.png into (optional); a failing test leaves a picture there too
//   CHROMIUM     the browser, /usr/bin/chromium unless told
import assert from "node:assert/strict";
import path from "node:path";
import { after, before } from "node:test";
import { desktop, folder, narrow, overflow, phone, start, stepOn, until, url, violations } from "./browser.mjs";

const run = Date.now().toString(36);

let browser, page;
const errors = [];
before(async () => { ({ browser, page } = await start(errors)); });
after(async () => { await browser?.close(); });
const step = stepOn(() => page);

const hook = (name) => page.getByTestId(name);
const rowOf = (buyer) => page.getByTestId("invite").filter({ has: page.getByRole("button", { name: `${buyer}, details`, exact: true }) });
const number = async (name) => Number((await hook(name).textContent()).replace(/[^\d]/g, ""));
const turnClock = () => hook("clock-60").click();
const attribute = (row, name) => row.getAttribute(name);
const become = (row, name, value, options) => until(`${name} is ${value}`, async () => (await attribute(row, name)) === value, options);

const buy = async (buyer, payment, button = "buy-once") => {
  await hook("buy-user").fill(buyer);
  await hook("buy-transaction").fill(payment);
  await hook(button).click();
  await hook("buy-user").fill("");
  await hook("buy-transaction").fill("");
};
const boughtLink = async (buyer) => {
  await buy(buyer, `pay-${buyer}`);
  const row = rowOf(buyer);
  await row.waitFor();
  await become(row, "data-status", "DONE");
  return row;
};
const tap = async (row, as) => {
  await page.evaluate(() => document.getElementById("outcome").removeAttribute("data-outcome"));
  await row.getByTestId(`tap-${as}`).click();
  await until("Telegram has answered the tap", () => hook("outcome").getAttribute("data-outcome"));
  return hook("outcome").getAttribute("data-outcome");
};

step("it_opens_live_and_says_that_the_world_is_simulated", async () => {
  assert.equal(await page.title(), "Admit One");
  await until("the page is live", async () => (await hook("connection").getAttribute("data-state")) === "live");
  assert.equal(await hook("mode").textContent(), "Simulated");
  assert.equal(await hook("gate").isVisible(), false, "in simulated mode the page has its key");
  assert.equal(await overflow(page), 0);
  // A local stack that was played with before may still be broken on purpose.
  if (await hook("reset-faults").isVisible()) await hook("reset-faults").click();
  await until("nothing is broken", async () => !(await hook("reset-faults").isVisible()));
});

step("one_purchase_becomes_done_with_a_link_and_tells_webengage", async () => {
  const delivered = await number("count-events");
  const row = await boughtLink(`once-${run}`);
  await become(row, "data-link-event", "true");
  await until("the event is counted", async () => (await number("count-events")) > delivered);
  await row.getByTestId("open").click();
  const drawer = hook("drawer");
  await drawer.waitFor();
  const text = await drawer.textContent();
  assert.match(text, new RegExp(await attribute(row, "data-request-id")));
  assert.match(text, /https:\/\/t\.me\/\S+/);
  assert.ok(await drawer.locator("#drawer-log li").count() > 0, "the invite's own timeline is shown");
  await page.keyboard.press("Escape");
  assert.equal(await drawer.isVisible(), false);
  assert.equal(await row.getByTestId("open").evaluate((node) => node === document.activeElement), true, "the focus returns to the row");
});

step("the_same_payment_twice_is_one_invite", async () => {
  const before = await number("total-requests");
  const buyer = `twice-${run}`;
  await buy(buyer, `pay-${buyer}`, "buy-twice");
  await rowOf(buyer).waitFor();
  await become(rowOf(buyer), "data-status", "DONE");
  await buy(buyer, `pay-${buyer}`);
  await page.waitForTimeout(1200);
  assert.equal(await rowOf(buyer).count(), 1);
  assert.equal(await number("total-requests"), before + 1);
});

step("another_buyer_with_the_same_payment_is_refused_in_words", async () => {
  await buy(`thief-${run}`, `pay-twice-${run}`);
  await hook("toast-error").first().waitFor();
  assert.ok((await hook("toast-error").first().textContent()).length > 10);
  assert.equal(await rowOf(`thief-${run}`).count(), 0);
  await hook("toast-error").first().getByRole("button").click();
});

step("what_a_buyer_is_called_is_text_and_never_markup", async () => {
  const buyer = `<img src=x onerror=document.title='owned'>${run}`;
  await boughtLink(buyer);
  await rowOf(buyer).getByTestId("open").click();
  await hook("drawer").waitFor();
  assert.equal(await page.locator("#rows img, #drawer img, #timeline img").count(), 0);
  assert.equal(await page.title(), "Admit One");
  await hook("drawer-close").click();
});

step("a_stranger_who_is_first_takes_the_only_seat", async () => {
  const row = await boughtLink(`robbed-${run}`);
  assert.equal(await tap(row, "stranger"), "joined");
  assert.match(await tap(row, "buyer"), /^(full|revoked)$/);
  await become(row, "data-joined", "true");
});

step("after_the_buyer_joined_the_link_is_revoked", async () => {
  const row = await boughtLink(`joins-${run}`);
  const joined = await number("total-joined");
  assert.equal(await tap(row, "buyer"), "joined");
  await become(row, "data-joined", "true");
  await become(row, "data-join-event", "true");
  await until("the join is counted", async () => (await number("total-joined")) === joined + 1);
  assert.match(await tap(row, "stranger"), /^(full|revoked)$/);
  await until("the link is revoked", async () => (await tap(row, "stranger")) === "revoked");
  assert.match(await tap(row, "buyer"), /^(already_member|revoked)$/);
});

step("webengage_down_delays_events_and_nothing_else", async () => {
  await hook("webengage-mode").selectOption("down");
  await until("the page says so", async () => /down/.test(await page.locator("#sub-events").textContent()));
  const row = await boughtLink(`patient-${run}`);
  assert.equal(await tap(row, "buyer"), "joined");
  await become(row, "data-joined", "true");
  await page.waitForTimeout(1500);
  assert.equal(await attribute(row, "data-link-event"), "false");
  assert.equal(await attribute(row, "data-join-event"), "false");
  await hook("webengage-mode").selectOption("up");
  await become(row, "data-link-event", "true", { seconds: 90, nudge: turnClock });
  await become(row, "data-join-event", "true", { seconds: 90, nudge: turnClock });
});

step("a_burst_of_200_buyers_is_200_invites", async () => {
  const before = await number("total-requests"), shown = await page.getByTestId("invite").count();
  await hook("buy-burst").click();
  await until("200 more requests", async () => (await number("total-requests")) === before + 200, { seconds: 60 });
  await until("their rows", async () => (await page.getByTestId("invite").count()) === Math.min(300, shown + 200));
  const ids = await page.getByTestId("invite").evaluateAll((nodes) => nodes.map((node) => node.dataset.requestId));
  assert.equal(new Set(ids).size, ids.length, "no row twice");
  // What is read stays where it is while rows change around it.
  const scroll = page.locator("#invites-scroll");
  await scroll.evaluate((node) => { node.scrollTop = 2000; });
  const watched = await page.getByTestId("invite").nth(60).elementHandle();
  const place = (await watched.boundingBox()).y;
  await buy(`late-${run}`, `pay-late-${run}`);
  await rowOf(`late-${run}`).waitFor({ state: "attached" });
  assert.ok(Math.abs((await watched.boundingBox()).y - place) < 45, "a new row does not push the others away");
  await scroll.evaluate((node) => { node.scrollTop = 0; });
  await until("every request is done", async () => (await number("total-done")) + (await number("total-failed")) === (await number("total-requests")), { seconds: 240, nudge: turnClock });
  assert.equal(await number("total-failed"), 0);
});

step("the_filters_choose_rows", async () => {
  await hook("find").fill(`once-${run}`);
  assert.equal(await page.getByTestId("invite").filter({ visible: true }).count(), 1);
  await page.getByTestId("filter-FAILED").check();
  assert.equal(await page.getByTestId("invite").filter({ visible: true }).count(), 0);
  assert.equal(await page.locator("#empty").isVisible(), true);
  await page.getByTestId("filter-all").check();
  await hook("find").fill("");
});

step("the_totals_are_of_all_requests_and_the_search_finds_those_that_left_the_table", async () => {
  await until("more requests than rows", async () => {
    if ((await number("total-requests")) > 300) return true;
    await hook("buy-burst").click();
    await until("the burst has come", async () => (await hook("buy-burst").getAttribute("aria-disabled")) !== "true", { seconds: 60 });
    return false;
  }, { seconds: 120 });
  await until("every request is done", async () => (await number("total-done")) + (await number("total-failed")) === (await number("total-requests")), { seconds: 240, nudge: turnClock });
  assert.equal(await number("total-requests") > 300, true);
  const all = await page.locator("#filter label").first().locator("b").textContent();
  assert.equal(Number(all.replace(/[^\d]/g, "")), await number("total-requests"));
  const buyer = `once-${run}`;
  await hook("find").fill(buyer);
  await until("the oldest buyer is found", async () => (await rowOf(buyer).count()) === 1 && rowOf(buyer).isVisible());
  await rowOf(buyer).getByTestId("open").click();
  await hook("drawer").waitFor();
  assert.match(await hook("drawer").textContent(), /https:\/\/t\.me\/\S+/);
  await hook("drawer-close").click();
  await hook("find").fill(`nobody-${run}`);
  await until("it says so", async () => /No invite is known by this/.test(await page.locator("#empty-text").textContent()));
  await hook("find").fill("");
});

step("while_nothing_happens_next_to_nothing_is_sent", async () => {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
  await until("nothing is under way", async () => {
    await page.waitForTimeout(2000);
    const before = bytes;
    await page.waitForTimeout(2000);
    return bytes - before < 2000;
  }, { nudge: turnClock });
  bytes = 0;
  await page.waitForTimeout(12_000);
  await session.detach();
  assert.ok(bytes < 20_000, `${bytes} bytes in 12 s`);
});

step("the_machine_says_what_is_simulated_and_dead_letters_can_be_read", async () => {
  const opened = (name) => page.getByTestId(name).evaluate((node) => { node.open = true; });
  await opened("machine");
  await until("the checks are told", async () => /WebEngage: simulated on this machine/.test(await hook("checks").textContent()));
  assert.match(await hook("checks").textContent(), /Premium Club.*may invite users/);
  assert.equal(await hook("alarms").isVisible(), false);
  await opened("operator");
  await hook("read-messages").click();
  await until("they are read", async () => /There are none/.test(await hook("messages").textContent()));
});

step("the_guided_minute_breaks_everything_and_serves_everybody", async () => {
  const before = await number("total-requests");
  await hook("guide-start").click();
  await until("it comes to its end", async () => (await hook("guide").locator("[data-state=done]").count()) === 6, { seconds: 150 });
  assert.match(await hook("guide").textContent(), /40 of 40 who paid have a link, one each\. Nobody was lost/);
  assert.equal(await number("total-requests"), before + 40);
  assert.equal(await number("total-failed"), 0);
});

step("a_tight_limit_makes_429s_and_fails_nobody", async () => {
  const before = await number("count-429");
  await hook("limit-calls").fill("1");
  await hook("limit-seconds").fill("5");
  await hook("limit-apply").click();
  await until("the limit is set", async () => /1 in 5 s/.test(await hook("limit-now").textContent()));
  for (let i = 0; i < 4; i += 1) await buy(`tight-${i}-${run}`, `pay-tight-${i}-${run}`);
  await until("Telegram refuses", async () => (await number("count-429")) > before, { seconds: 60 });
  await hook("limit-off").click();
  await until("there is no limit", async () => /none/.test(await hook("limit-now").textContent()));
  for (let i = 0; i < 4; i += 1) await become(rowOf(`tight-${i}-${run}`), "data-status", "DONE", { seconds: 120, nudge: turnClock });
});

step("a_storm_and_a_killed_worker_lose_nothing", async () => {
  await hook("storm").click();
  for (let i = 0; i < 3; i += 1) await buy(`storm-${i}-${run}`, `pay-storm-${i}-${run}`);
  await hook("kill-worker").click();
  for (let i = 0; i < 3; i += 1) await become(rowOf(`storm-${i}-${run}`), "data-status", "DONE", { seconds: 240, nudge: () => hook("clock-300").click() });
});

step("without_a_key_the_page_asks_for_one_and_says_when_it_is_wrong", async () => {
  const context = await browser.newContext();
  const stranger = await context.newPage();
  let key = "";
  await stranger.route((target) => target.pathname === "/", async (route) => {
    const answer = await route.fetch();
    const body = await answer.text();
    key = /name="admit-one-key" content="([^"]*)"/.exec(body)[1];
    await route.fulfill({ response: answer, body: body.replace(/(name="admit-one-key" content=")[^"]*/, "$1") });
  });
  await stranger.goto(url);
  await stranger.getByTestId("gate").waitFor();
  await stranger.getByTestId("gate-key").fill("not-the-key");
  await stranger.getByTestId("gate-submit").click();
  await stranger.getByTestId("gate-error").waitFor();
  assert.match(await stranger.getByTestId("gate-error").textContent(), /not accepted/);
  assert.deepEqual(await violations(stranger), []);
  await stranger.getByTestId("gate-key").fill(key);
  await stranger.getByTestId("gate-submit").click();
  await stranger.getByTestId("invite").first().waitFor();
  assert.equal(await stranger.getByTestId("gate").isVisible(), false);
  await stranger.reload();
  await stranger.getByTestId("invite").first().waitFor();
  await context.close();
});

step("a_lost_connection_is_said_and_found_again", async () => {
  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(url);
  const state = other.getByTestId("connection");
  await other.getByTestId("invite").first().waitFor();
  await context.setOffline(true);
  await until("it says so", async () => /Connection lost, retrying/.test(await state.textContent()));
  await context.setOffline(false);
  await until("it is live again", async () => (await state.getAttribute("data-state")) === "live");
  await context.close();
});

step("it_is_accessible_and_fits_in_light_dark_and_on_a_phone", async () => {
  // Something of everything for the pictures, from buyers whom the shop names.
  const rows = page.getByTestId("invite");
  const buyMore = async (times) => {
    for (let i = 0; i < times; i += 1) {
      const before = await number("total-requests");
      await hook("buy-once").click();
      await until("one more request", async () => (await number("total-requests")) > before);
    }
  };
  const allDone = () => until("every request is done", async () => (await number("total-done")) === (await number("total-requests")), { seconds: 120, nudge: turnClock });
  await buyMore(14);
  await allDone();
  for (const i of [2, 5, 6, 9]) await tap(rows.nth(i), i === 5 ? "stranger" : "buyer");
  await tap(rows.nth(5), "buyer");
  await until("the events are out", async () => (await number("queue-EventQueue")) === 0, { nudge: turnClock });
  await hook("webengage-mode").selectOption("down");
  await buyMore(3);
  await allDone();
  await hook("storm").click();
  await buyMore(4);
  await until("the toasts are gone", async () => (await hook("toasts").locator("> *").count()) === 0);
  await page.mouse.move(700, 20);
  await page.evaluate(() => { document.activeElement.blur(); document.querySelector(".controls").scrollTop = 0; });
  const picture = async (name) => { if (folder) await page.screenshot({ path: path.join(folder, name) }); };
  for (const [name, colorScheme, size] of [["page.png", "light", desktop], ["page-dark.png", "dark", desktop], ["page-mobile.png", "light", phone], ["page-narrow.png", "dark", narrow]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(size);
    await page.waitForTimeout(700);
    await picture(name);
    assert.equal(await overflow(page), 0, `${name}: nothing is wider than the window`);
    assert.deepEqual(await violations(page), [], name);
    await page.getByTestId("open").first().click();
    await hook("drawer").waitFor();
    await page.waitForTimeout(700);
    await picture(name.replace(".png", "-invite.png"));
    assert.deepEqual(await violations(page), [], `${name} with an invite open`);
    await hook("drawer-close").click();
  }
  await page.setViewportSize(desktop);
  await hook("reset-faults").click();
  await until("all faults are reset", async () => !(await hook("reset-faults").isVisible()));
});

step("the_console_stayed_free_of_errors", async () => { assert.deepEqual(errors, []); });
