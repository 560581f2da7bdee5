// The phone on the page, in a real browser. Needs a local stack in simulated mode whose chat is claimed (CHAT_DELIVERY=claim);
// the environment is that of page.test.mjs.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before } from "node:test";
import { desktop, folder, narrow, overflow, phone, start, stepOn, until, violations } from "./browser.mjs";

const run = Date.now().toString(36);
const ann = `Ann-${run}`;

let browser, page;
const errors = [];
before(async () => { ({ browser, page } = await start(errors)); });
after(async () => { await browser?.close(); });
const step = stepOn(() => page);

const hook = (name) => page.getByTestId(name);
const heard = () => hook("bubbles").getByTestId("heard");
const lastHeard = async () => ((await heard().count()) ? heard().last().locator(".bubble").textContent() : "");
const presence = (is) => until(`the person is ${is}`, async () => (await hook("presence").getAttribute("data-presence")) === is);
const whose = async (name) => {
  await hook(`person-${name}`).check();
  await until(`the phone is ${name}'s`, async () => (await hook("presence").getAttribute("data-presence")) !== "");
};
const add = async (name) => {
  await hook("person-more").click();
  await hook("person-name").fill(name);
  await page.keyboard.press("Enter");
  await until(`the phone is ${name}'s`, async () => (await hook(`person-${name}`).count()) === 1 && hook(`person-${name}`).isChecked());
};
const say = async (text) => {
  await hook("say-text").fill(text);
  await page.keyboard.press("Enter");
};

step("the_phone_is_there_and_a_person_without_a_seat_is_told_so", async () => {
  await hook("phone").waitFor();
  assert.equal(await page.locator("#customer").isVisible(), false, "its part is the phone's");
  await hook("person-Stranger").waitFor({ state: "attached" });
  assert.equal(await page.locator("#people label").filter({ hasText: /^(Ann|Bob|Stranger)$/ }).count(), 3);
  await whose("Stranger");
  await say("/start");
  await until("the bot answers", async () => (await lastHeard()) !== "");
  assert.equal(await hook("bubbles").getByTestId("said").last().locator(".bubble").textContent().then((text) => text.startsWith("/start")), true);
  await presence("out");
});

step("who_paid_opens_the_link_presses_the_button_and_is_in", async () => {
  await add(ann);
  assert.match(await hook("paid").textContent(), /has not paid/);
  await hook("phone-buy").click();
  await hook("phone-link").click();
  await until("the bot sends the way in", async () => (await heard().last().locator(".keys button").count()) > 0);
  await heard().last().locator(".keys button").first().click();
  await presence("in");
  await until("the table knows", async () => (await page.getByTestId("invite").filter({ hasText: ann }).getAttribute("data-joined")) === "true");
});

step("bob_taps_her_link_and_is_turned_away", async () => {
  await hook("phone-steal").click();
  await until("it is Bob's phone", async () => hook("person-Bob").isChecked());
  await until("the bot tells him", async () => (await lastHeard()) !== "");
  await presence("out");
  assert.equal(await heard().last().locator(".keys a, .keys button").filter({ hasText: /join/i }).count(), 0, "no way in");
  assert.match(await lastHeard(), /another|somebody|someone|already/i);
  if (folder) await page.screenshot({ path: path.join(folder, "phone-turned-away.png") });
  await whose(ann);
  await presence("in");
});

step("she_leaves_and_comes_back_by_her_own_seat", async () => {
  await hook("phone-leave").click();
  await presence("out");
  await say("/access");
  const before = await heard().count();
  await until("the bot answers", async () => (await heard().count()) > before || (await heard().last().locator(".keys button").count()) > 0);
  await heard().filter({ has: page.locator(".keys button") }).last().locator(".keys button").first().click();
  await presence("in");
});

step("a_row_of_the_table_opens_on_the_phone_of_its_buyer_and_of_a_stranger", async () => {
  const buyer = `row-${run}`;
  await hook("buy-user").fill(buyer);
  await hook("buy-once").click();
  const row = page.getByTestId("invite").filter({ hasText: buyer });
  await row.waitFor();
  await row.getByTestId("tap-buyer").click();
  await until("the phone is the buyer's", async () => (await hook(`person-${buyer}`).count()) === 1 && hook(`person-${buyer}`).isChecked());
  await until("the bot sends the way in", async () => (await heard().last().locator(".keys button").count()) > 0);
  await row.getByTestId("tap-stranger").click();
  await until("the phone is a stranger's", async () => hook("person-Stranger").isChecked());
  await presence("out");
});

step("a_blocked_bot_is_not_written_to_and_is_unblocked", async () => {
  await whose("Stranger");
  await hook("phone-block").click();
  await hook("phone-unblock").waitFor();
  assert.equal(await hook("say-text").isVisible(), false);
  await hook("phone-unblock").click();
  await hook("say-text").waitFor();
});

step("what_people_write_is_text_and_never_markup", async () => {
  await whose("Stranger");
  await say(`<img src=x onerror=document.title='owned'> <b>bold</b> ${run}`);
  const said = hook("bubbles").getByTestId("said").last();
  await until("it is said", async () => (await said.textContent()).includes(`<b>bold</b> ${run}`));
  assert.equal(await page.locator("#phone img, #phone .bubble b").filter({ hasText: "bold" }).count(), 0);
  assert.equal(await page.title(), "Admit One");
});

step("an_actor_polls_while_the_webhook_runs_and_its_answer_reaches_the_phone", async () => {
  await whose("Stranger");
  await hook("view-actor").check();
  await hook("actor-poll").click();
  await until("it polls", async () => (await hook("actor-says").textContent()) === "Polls");
  const said = `to the actor ${run}`;
  // An actor that has just been made is known to the webhook within five seconds.
  for (let round = 1; (await hook("actor-got").filter({ hasText: said }).count()) === 0; round += 1) {
    assert.ok(round <= 10, "the actor hears a message");
    await hook("view-bot").check();
    await say(`${said} ${round}`);
    await hook("view-actor").check();
    await page.waitForTimeout(1500);
  }
  assert.match(await hook("actor-got").filter({ hasText: said }).last().textContent(), /^Stranger: .*message \d+$/);
  const answer = `from the actor ${run}`;
  await hook("actor-text").fill(answer);
  await page.keyboard.press("Enter");
  await hook("actor-said").filter({ hasText: answer }).waitFor();
  if (folder) await page.screenshot({ path: path.join(folder, "actor.png") });
  assert.deepEqual(await violations(page), []);
  await hook("view-bot").check();
  await heard().filter({ hasText: answer }).waitFor();
  await hook("view-actor").check();
  await hook("actor-poll").click();
  await until("it stopped", async () => (await hook("actor-says").textContent()) === "Stopped");
  await hook("view-bot").check();
});

step("it_is_accessible_and_fits_in_light_dark_and_on_a_phone", async () => {
  await whose(ann);
  await until("the toasts are gone", async () => (await hook("toasts").locator("> *").count()) === 0);
  for (const [name, colorScheme, size] of [["phone.png", "light", desktop], ["phone-dark.png", "dark", desktop], ["phone-middle.png", "light", { width: 1000, height: 800 }], ["phone-mobile.png", "light", phone], ["phone-narrow.png", "dark", narrow]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(size);
    await page.waitForTimeout(500);
    if (size !== desktop) await hook("phone").scrollIntoViewIfNeeded();
    if (folder) await page.screenshot({ path: path.join(folder, name), fullPage: size !== desktop });
    assert.equal(await overflow(page), 0, `${name}: nothing is wider than the window`);
    assert.deepEqual(await violations(page), [], name);
  }
  await page.setViewportSize(desktop);
});

step("the_console_stayed_free_of_errors", async () => { assert.deepEqual(errors, []); });
