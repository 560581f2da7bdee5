// The till of the local stack, in a real browser: sells by each provider, breaks the payments, and reads the books. Needs a local
// stack that sells (PAYMENTS_MODE=test); the environment is that of page.test.mjs.
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
const buyer = (name) => `${name}-${run}`;
/** An order, which the page shows then. */
const order = async (name, tier, provider, person) => {
  const before = await hook("orders").locator("button").count();
  await hook("buyer").fill(buyer(name));
  await hook("tier").selectOption(tier);
  await hook("provider").selectOption(provider);
  if (person) await hook("person").selectOption({ label: person });
  await hook("place").click();
  await until("the order is shown", async () => await hook("orders").locator("button").count() > before
    && (await hook("orders").locator("[aria-pressed=true]").textContent()).startsWith(buyer(name)));
  await is("Open", "none");
};
const is = (state, seat, options) => until(`the order is ${state}, its seat ${seat}`, async () =>
  (await hook("state").textContent()) === state && (await hook("seat").textContent()) === `Seat: ${seat}`, options);
const press = (name) => hook(name).click();
/** What stands on an account. */
const balance = async (account) => {
  const row = hook("accounts").locator("tbody tr").filter({ hasText: account }).filter({ hasText: / USD$/ });
  return await row.count() ? Number((await row.locator(".num").textContent()).split(" ")[0]) : 0;
};
const balances = (account, amount) => until(`${account} is ${amount}`, async () => Math.abs(await balance(account) - amount) < 0.001);
const facts = (kind) => hook("facts").locator("li").filter({ hasText: new RegExp(`^${kind}`) }).count();
const invites = () => hook("issued").locator("li").filter({ hasText: /^invite/ }).count();
const onwards = async (seconds) => { await press(`clock-${seconds}`); };

step("the_page_of_seats_leads_to_it", async () => {
  await hook("till").click();
  await page.getByRole("heading", { name: "The till" }).waitFor();
  assert.equal(page.url(), `${url}/local/till`);
});

step("who_pays_by_card_is_in_and_the_books_say_who_is_due_what", async () => {
  await order("card", "month", "stripe");
  await press("pay-declined");
  await is("Open", "none");
  await press("pay-whole");
  await is("Paid", "active");
  await until("they have their way in", async () => await invites() === 1);
  await balances("provider:stripe", 19);
  await balances("owner:me", -18.43);
  await balances("platform:fee", -0.57);
  assert.match(await hook("accounts").locator("tfoot").textContent(), /0\.00 USD/);
});

step("a_payment_that_is_reported_five_times_has_one_effect", async () => {
  await hook("reports").selectOption("repeated");
  await order("five", "month", "nowpayments");
  await press("pay-whole");
  await is("Paid", "active");
  // The coin came in against it.
  await balances("exchange:nowpayments", 19);
  await until("one charge, one invite", async () => await facts("charge") === 1 && await invites() === 1);
  await hook("reports").selectOption("as_usual");
});

step("a_payment_of_which_no_report_comes_is_found", async () => {
  await hook("reports").selectOption("lost");
  await order("lost", "month", "stripe");
  await press("pay-whole");
  await onwards(300);
  await is("Paid", "active", { seconds: 90 });
  await balances("provider:stripe", 38);
  await hook("reports").selectOption("as_usual");
});

step("two_halves_in_coins_are_the_price", async () => {
  await order("half", "month", "nowpayments");
  await press("pay-half");
  await is("Underpaid", "none");
  await press("pay-half");
  await is("Paid", "active");
  await until("two charges, one invite", async () => await facts("charge") === 2 && await invites() === 1);
});

step("a_dispute_suspends_the_seat_until_it_is_won", async () => {
  await hook("reports").selectOption("reversed");
  await order("dispute", "month", "stripe");
  await press("pay-whole");
  await hook("reports").selectOption("as_usual");
  await is("Paid", "active");
  await press("turn-dispute");
  await is("Disputed", "suspended");
  await press("turn-win");
  await is("Paid", "active");
});

step("half_a_refund_is_a_case_that_a_person_decides", async () => {
  await order("refund", "month", "stripe");
  await press("pay-whole");
  await is("Paid", "active");
  await press("refund-half");
  await until("there is a case", async () => await hook("cases").locator("li").filter({ hasText: "partial_refund" }).count() === 1);
  await press("decide-keep");
  await until("it is decided", async () => !await hook("cases").isVisible());
  await is("Partly refunded", "active");
});

step("the_last_seat_is_sold_once", async () => {
  await order("first", "seats", "stripe");
  await order("second", "seats", "stripe");
  await hook("buyer").fill(buyer("third"));
  await press("place");
  await hook("toast-error").filter({ hasText: "sold or ordered" }).waitFor();
});

step("stars_are_paid_by_who_ordered", async () => {
  await order("stars", "monthly", "stars", "Ann");
  await press("pay-whole");
  await is("Paid", "active");
  await press("turn-renew");
  await until("it is renewed", async () => await facts("charge") === 2);
});

step("the_owner_is_paid_once_what_is_due", async () => {
  await press("payee");
  await hook("toast").filter({ hasText: "Written." }).waitFor();
  await onwards(2592000);
  const due = -await balance("owner:me");
  assert.ok(due > 0);
  await press("gather");
  await press("payout-approve");
  await press("payout-paid");
  await balances("owner:me", 0);
  await balances("bank", -due);
  assert.match(await hook("payouts").textContent(), /^Paid: /);
});

step("it_is_accessible_and_fits_in_light_dark_and_at_any_width", async () => {
  for (const [name, colorScheme, size] of [["desktop", "light", desktop], ["desktop-dark", "dark", desktop], ["phone", "light", phone], ["narrow-dark", "dark", narrow]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(size);
    if (folder) await page.screenshot({ path: path.join(folder, `till-${name}.png`), fullPage: true });
    assert.equal(await overflow(page), 0, `${name}: nothing is wider than the window`);
    assert.deepEqual(await violations(page), [], name);
  }
});

step("the_console_stayed_free_of_errors", () => {
  assert.deepEqual(errors.filter((error) => !/status of 404/.test(error)), []);
});
