// List: a page of the rows that were found, as a table whose rows are links.

const PER_PAGE = 50;
let found = [];
let listed = null;
let asked = 0;

async function list(values) {
  const wanted = Object.fromEntries(Object.entries(values).filter(([name]) => !["page", "episode", "beside"].includes(name)));
  const mark = JSON.stringify(wanted);
  if (mark !== listed) {
    const turn = ++asked;
    listed = mark;
    found = find(wanted);
    if (wanted.said) {
      const among = found;
      found = [];
      for await (const hits of said(among, wanted.said.toLowerCase())) {
        if (turn !== asked) return;
        found = found.concat(hits.rows);
        draw(values, wanted, ` so far, ${Math.round(100 * hits.share)} % read`);
      }
      if (turn !== asked) return;
    }
  }
  draw(values, wanted, "");
}

// Reads part after part; order by score would need all of them, so these stand as they were played.
async function* said(rows, text) {
  const byPart = Map.groupBy ? Map.groupBy(rows, partOf) : grouped(rows);
  let read = 0;
  for (const [part, some] of byPart) {
    const plays = await load(part);
    const hits = some.filter((row) => plays[row.number % all.perPart].turns.some((turn) => turn[2].toLowerCase().includes(text)));
    yield { rows: hits, share: (read += some.length) / rows.length };
  }
}

function grouped(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(partOf(row), [...(groups.get(partOf(row)) ?? []), row]);
  return groups;
}

const partOf = (row) => "part-" + String(Math.floor(row.number / all.perPart)).padStart(4, "0");
const playOf = async (row) => (await load(partOf(row)))[row.number % all.perPart];

function draw(values, wanted, more) {
  const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const page = Math.min(pages, Math.max(1, Number(values.page) || 1));
  const narrowed = Object.keys(wanted).filter((name) => name !== "sort" && name !== "dimension").length;
  const tasks = new Set(found.map((row) => row.task)).size;
  const whole = narrowed ? ` of ${all.rows.length.toLocaleString("en").replaceAll(",", "\u202f")}` : "";
  place("found").textContent = counted(found.length, "episode") + whole + (found.length ? `, in ${counted(tasks, "task")}` : "") + more;
  const shown = found.slice((page - 1) * PER_PAGE, page * PER_PAGE);
  place("rows").replaceChildren(...hidden(values, wanted),
    shown.length ? table(shown, values, wanted) : element("p", { class: "none" }, "No episode is like that."));
  place("pages").replaceChildren(...(pages > 1 ? turning(page, pages, values) : []));
}

// Filters of the address that no field shows, each with a way to be rid of it.
function hidden(values, wanted) {
  const unseen = Object.entries(wanted).filter(([name]) => TESTS[name] && !place("filters").elements[name]);
  return unseen.map(([name, value]) =>
    element("p", { class: "only" }, `Only ${name}: ${spaced(value)}. `,
      element("a", { href: state.address({ ...values, [name]: null, page: null }) }, "Any")));
}

function table(rows, values, wanted) {
  const dimension = wanted.dimension ?? "GOAL";
  const human = found.some((row) => row.people.some((mean) => mean !== null));
  const heads = ["Task", "Players", dimension, ...(human ? [raters()] : []), "turns", "ends"];
  return element("table", {},
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows.map((row) => tableRow(row, values, dimension, human))));
}

function tableRow(row, values, dimension, human) {
  const address = state.address({ ...values, episode: row.id, beside: null });
  const both = (of) => [0, 1].map((seat) => element("span", { class: row.focus.includes(seat) ? "seat" : "seat quiet" }, of(seat)));
  const number = (value, digits) => (value === null ? "–" : fixed(value, digits));
  const title = row.told ? spaced(row.told.name) : spaced(row.id);
  return element("tr", { "data-id": row.id },
    element("th", { scope: "row" }, element("a", { href: address }, title),
      row.told ? element("small", {}, row.told.scenario) : null),
    element("td", { class: "word" }, both((seat) => player(row.names[seat]))),
    element("td", { "data-head": dimension }, both((seat) => number(score(row, seat, dimension)))),
    human ? element("td", { "data-head": raters() }, both((seat) => number(row.people[seat]))) : null,
    element("td", { "data-head": "turns" }, String(row.turns)),
    element("td", { class: "word" }, row.failure >= 0 ? element("span", { class: "failed" }, row.ending === 3 ? "failed" : "not rated") : ENDINGS[all.endings[row.ending]]));
}

function player(name) {
  const at = all.measured.indexOf(name);
  return element("b", { class: at < 0 ? "player" : `player player-${at % 8}` }, name);
}

function turning(page, pages, values) {
  const link = (to, text, rel) =>
    to < 1 || to > pages ? element("span", { class: "quiet" }, text)
      : element("a", { href: state.address({ ...values, page: to === 1 ? null : to }), rel }, text);
  return [link(page - 1, "← previous", "prev"), element("span", {}, `page ${page} of ${pages}`), link(page + 1, "next →", "next")];
}
