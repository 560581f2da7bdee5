const field = document.getElementById("command");
const button = document.getElementById("copy");
field.addEventListener("focus", () => { field.select(); });
button.addEventListener("click", async () => {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    // An app's own browser may not allow it.
    if (!document.execCommand("copy")) return;
  }
  document.getElementById("said").textContent = button.dataset.copied;
});
button.hidden = false;
