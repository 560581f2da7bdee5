// The page of a claim link, in a real browser, with and without its script. Needs a local stack in simulated mode whose chat is
// claimed (CHAT_DELIVERY=claim); the environment is that of page.test.mjs.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before } from "node:test";
import { desktop, folder, narrow, overflow, phone, start, stepOn, url, violations } from "./browser.mjs";

const run = Date.now().toString(36);
const languages = ["en", "hi", "ru", "es", "pt"];

let browser, page, key;
const errors = [], requests = [];
before(async () => {
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
  // The browser itself reports a page that is not 200; which those are is the test's doing.
  opened.on("console", (message) => { if (message.type() === "error" && !/status of (404|410)/.test(message.text())) errors.push(message.text()); });
  opened.on("request", (request) => requests.push(request.url()));
  return opened;
};
const shop = async (route, body) => {
  const answer = await fetch(`${url}${route}`, { method: "POST", headers: { "x-api-key": key }, body: JSON.stringify(body ?? {}) });
  assert.equal(answer.status, 200);
  return answer.json();
};
const buy = (user) => shop("/v1/invite/request", { userId: user, transactionId: `pay-${user}` });
const command = (link) => `/start ${new URL(link).searchParams.get("start")}`;

let bought;
step("a_buyer_sees_both_links_the_code_and_the_text_to_send", async () => {
  bought = await buy(`claim-${run}`);
  assert.equal((await page.goto(bought.claimPage)).status(), 200);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.locator("h1").textContent(), await page.title());
  assert.equal(await page.locator("#web").getAttribute("href"), bought.inviteLink);
  assert.match(await page.locator("#app").getAttribute("href"), /^tg:\/\/resolve\?domain=\w+&start=c_[\w-]{46}$/);
  assert.equal(await page.locator("#command").inputValue(), command(bought.inviteLink));
  const code = await page.getByRole("img", { name: "QR code" }).boundingBox();
  assert.ok(code.width >= 160 && Math.abs(code.width - code.height) < 2, JSON.stringify(code));
  assert.deepEqual(await page.context().cookies(), []);
  assert.ok((await page.locator("#app").boundingBox()).y < phone.height / 2, "the first button is seen at once");
});

step("the_button_copies_the_text", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("status").getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command(bought.inviteLink));
});

step("each_language_is_chosen_by_a_tap_and_by_the_browser", async () => {
  const titles = new Set();
  for (const language of languages) {
    await page.locator(`nav a[hreflang="${language}"]`).click();
    await page.locator(`html[lang="${language}"]`).waitFor();
    assert.equal(await page.locator("nav a[aria-current]").getAttribute("hreflang"), language);
    assert.equal(await page.locator("#command").inputValue(), command(bought.inviteLink), "the link is the same");
    titles.add(await page.title());
    const foreign = await open({ locale: language });
    await foreign.goto(bought.claimPage);
    assert.equal(await foreign.title(), await page.title());
    await foreign.context().close();
  }
  assert.equal(titles.size, languages.length);
});

step("without_a_script_the_text_is_selected_by_hand", async () => {
  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(bought.claimPage);
  assert.equal(await plain.locator("#copy").isVisible(), false, "a button that does nothing is not shown");
  assert.equal(await plain.locator("#command").isEditable(), false);
  await plain.locator("#command").focus();
  await plain.keyboard.press("ControlOrMeta+A");
  assert.equal(await plain.evaluate(() => {
    const field = document.getElementById("command");
    return field.value.slice(field.selectionStart, field.selectionEnd);
  }), command(bought.inviteLink));
  assert.equal(await plain.locator("#web").isVisible(), true);
  assert.equal(await overflow(plain), 0);
  if (folder) await plain.screenshot({ path: path.join(folder, "claim-plain.png"), fullPage: true });
  await plain.context().close();
});

step("it_is_accessible_and_fits_in_every_language_in_light_dark_and_at_any_width", async () => {
  for (const language of languages) {
    await page.goto(`${bought.claimPage}?lang=${language}`);
    for (const [name, colorScheme, size] of [["desktop", "light", desktop], ["phone", "light", phone], ["narrow-dark", "dark", narrow]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      if (folder) await page.screenshot({ path: path.join(folder, `claim-${language}-${name}.png`), fullPage: true });
      assert.equal(await overflow(page), 0, `${language}, ${name}: nothing is wider than the window`);
      assert.deepEqual(await violations(page), [], `${language}, ${name}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(phone);
});

step("a_dead_link_says_so_and_leads_to_the_bot_alone", async () => {
  const moved = await buy(`moved-${run}`);
  const { claimPage } = await shop(`/v1/invite/${moved.requestId}/rebind`);
  const voided = await buy(`voided-${run}`);
  await shop(`/v1/invite/${voided.requestId}/void`);
  for (const [name, address, status] of [["replaced", moved.claimPage, 410], ["moved", claimPage, 200], ["voided", voided.claimPage, 410], ["unknown", `${url}/c/nobody`, 404]]) {
    assert.equal((await page.goto(address)).status(), status, name);
    if (folder) await page.screenshot({ path: path.join(folder, `claim-${name}.png`), fullPage: true });
    assert.equal(await overflow(page), 0, name);
    assert.deepEqual(await violations(page), [], name);
    if (status === 410) assert.match(await page.locator("#web").getAttribute("href"), /^https:\/\/t\.me\/\w+$/);
    if (status === 404) assert.equal(await page.locator(".way").count(), 0);
  }
});

step("nothing_came_from_elsewhere_and_the_console_stayed_free_of_errors", async () => {
  assert.deepEqual(requests.filter((request) => !request.startsWith(url) && !request.startsWith("data:")), []);
  assert.deepEqual(requests.filter((request) => !new URL(request).pathname.startsWith("/c/") && !request.startsWith("data:")), []);
  assert.deepEqual(errors, []);
});
