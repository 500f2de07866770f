// Keeps what a rater enters: in this browser at once, in the study a moment later. The page works without it.
"use strict";
(() => {
  const form = document.getElementById("marks");
  const told = document.getElementById("kept");
  if (!form || !told || !window.fetch) return;
  const shelf = `parley-${form.dataset.assignment}`;
  const entries = () => [...new FormData(form)].filter(([name]) => /^s[01]-/.test(name));
  const aside = (act) => { try { return act(); } catch { return null; } }; // storage may be off
  let timer = 0, sending = false, again = false, leaving = false;

  aside(() => Object.keys(localStorage).filter((key) => key.startsWith("parley-") && key !== shelf).forEach((key) => localStorage.removeItem(key)));
  const waiting = aside(() => JSON.parse(localStorage.getItem(shelf) || "null"));
  for (const [name, value] of waiting || []) {
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (field.type === "radio") field.checked = field.value === value; else field.value = value;
    }
  }

  async function send() {
    if (sending) { again = true; return; }
    sending = true; again = false;
    const sent = entries();
    try {
      const answer = await fetch(form.dataset.draft, {method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "error", signal: AbortSignal.timeout(20000)});
      if (!answer.ok) throw new Error(String(answer.status));
      if (JSON.stringify(sent) === JSON.stringify(entries())) aside(() => localStorage.removeItem(shelf));
      told.textContent = `Saved at ${new Date().toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"})}`;
    } catch {
      told.textContent = "No connection just now: kept in this browser, and sent again soon.";
      timer = setTimeout(send, 5000);
    }
    sending = false;
    if (again && !leaving) send();
  }

  function changed() {
    aside(() => localStorage.setItem(shelf, JSON.stringify(entries())));
    clearTimeout(timer);
    timer = setTimeout(send, 700);
  }
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  form.addEventListener("submit", () => { leaving = true; clearTimeout(timer); });
  addEventListener("pagehide", () => { if (!leaving && aside(() => localStorage.getItem(shelf))) navigator.sendBeacon(form.dataset.draft, new URLSearchParams(new FormData(form))); });
  addEventListener("online", () => { if (!leaving) send(); });
  if (waiting) send();
})();
