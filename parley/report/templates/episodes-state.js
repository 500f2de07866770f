// State: the part of the address behind #, as names and values. Every view has an address of its own.

const state = {
  read() {
    return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  },
  address(values) {
    const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return "#" + new URLSearchParams(kept).toString();
  },
  // Changes of filters replace the entry in the history, reading an episode makes a new one.
  set(values, { quietly = false } = {}) {
    const address = state.address(values);
    if (quietly) {
      history.replaceState(null, "", address);
      show();
    } else if (address !== location.hash) {
      location.hash = address;
    }
  },
};

// Elements are made of names and texts alone; nothing that was said is ever read as markup.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const place = (id) => document.getElementById(id);

// Scripts that hand over data call this; each is loaded once.
const waiting = new Map();
const parts = globalThis.trustedTypes?.createPolicy("parts", {
  createScriptURL(name) {
    if (/^(catalogue|part-\d{4,})\.js$/.test(name)) return name;
    throw new TypeError("not a part: " + name);
  },
});

globalThis.parley = (name, data) => waiting.get(name)?.resolve(data);

function load(name) {
  if (!waiting.has(name)) {
    const entry = {};
    entry.data = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    waiting.set(name, entry);
    const script = document.createElement("script");
    const file = name + ".js";
    script.src = parts ? parts.createScriptURL(file) : file;
    script.onerror = () => {
      waiting.delete(name);
      entry.reject(new Error(file + " is not beside this page"));
    };
    script.onload = () => script.remove();
    document.head.append(script);
  }
  return waiting.get(name).data;
}

const signed = (number, digits = 1) => (number > 0 ? "+" : "") + fixed(number, digits);
const fixed = (number, digits = 1) =>
  (Number.isInteger(number) ? String(number) : number.toFixed(digits)).replace("-", "\u2212");
const spaced = (text) => text.replaceAll("_", " ");
const counted = (number, noun) => number.toLocaleString("en").replaceAll(",", "\u202f") + " " + noun + (number === 1 ? "" : "s");
