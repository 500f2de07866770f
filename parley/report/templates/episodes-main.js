// Main: the address decides what is shown; keys change the address.

async function show() {
  const values = state.read();
  const reading = Boolean(values.episode);
  const turn = ++turns;
  lastAsked = values.episode ?? lastAsked;
  fill(values);
  try {
    await list(values);
    if (reading) await read(values);
  } catch (error) {
    if (turn !== turns) return;
    place("wait").textContent = `Not all of it could be read: ${error.message}. Copy the whole folder.`;
    place("wait").hidden = false;
    return;
  }
  if (turn !== turns) return; // the address has changed while this was read
  const before = place("reading").hidden;
  place("browse").hidden = reading;
  place("reading").hidden = !reading;
  place("wait").hidden = true;
  if (reading) {
    if (shownEpisode !== values.episode) {
      scrollTo(0, 0);
      place("reading").focus({ preventScroll: true });
    }
  } else {
    document.title = title;
    if (!before) [...place("rows").querySelectorAll("tr")].find((row) => row.dataset.id === lastAsked)?.querySelector("a").focus();
  }
  shownEpisode = values.episode ?? shownEpisode;
  document.documentElement.dataset.ready = values.episode ?? "list";
}

const title = document.title;
let turns = 0;
let shownEpisode = null; // the one on the page
let lastAsked = null; // the one that the address named last: its row is where one was

function step(by) {
  const values = state.read();
  if (values.episode) {
    const next = found[found.findIndex((row) => row.id === values.episode) + by];
    if (next) state.set({ ...values, episode: next.id, beside: null });
    return;
  }
  const links = [...place("rows").querySelectorAll("th a")];
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

function beside() {
  const values = state.read();
  const row = all.byId.get(values.episode);
  if (!row) return;
  state.set({ ...values, beside: values.beside ? null : besides(row)[0]?.id });
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  b: beside,
  "/": () => {
    if (state.read().episode) state.set({ ...state.read(), episode: null, beside: null });
    setTimeout(() => place("filters").elements.q.focus(), 30);
  },
  Escape: () => {
    const values = state.read();
    if (values.episode) state.set({ ...values, episode: null, beside: null });
    else place("found").focus();
  },
};

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || (field && event.key !== "Escape")) return;
  if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// A click anywhere in a row reads it; the link in it is what keys and readers find.
place("rows").addEventListener("click", (event) => {
  if (event.target.closest("a") || String(getSelection())) return;
  event.target.closest("tr")?.querySelector("a")?.click();
});

// The address is taken, so the way past the filters is none.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  place(place("reading").hidden ? "found" : "reading").focus();
});

addEventListener("hashchange", show);

load("catalogue").then((catalogue) => {
  open(catalogue);
  buildFilters();
  listen();
  return show();
}).catch((error) => {
  place("wait").textContent = `The episodes could not be read: ${error.message}. Copy the whole folder, not this page alone.`;
});
