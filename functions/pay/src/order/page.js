const watching = document.getElementById("watching");
const gaps = [5, 10, 20, 40];
const end = Date.now() + 15 * 60 * 1000;
let asked = 0;
const wait = () => {
  const gap = gaps[Math.min(asked, gaps.length - 1)] * 1000;
  asked += 1;
  watching.hidden = Date.now() + gap > end;
  if (!watching.hidden) setTimeout(ask, gap);
};
const ask = async () => {
  try {
    const answer = await fetch(watching.dataset.url, { credentials: "omit" });
    if (answer.ok && (await answer.json()).data.payment_status !== watching.dataset.shown) {
      location.reload();
      return;
    }
  } catch {
    // Away: it asks again.
  }
  wait();
};
wait();
