// Filters: a form whose fields are the address; what is never the case is not offered.

const FIELDS = ["q", "said", "evaluation", "set", "policy", "task", "tag", "state", "ending", "dimension", "min", "max",
  "people", "gapmin", "gapmax", "shortest", "longest", "learner", "outcome", "found", "sort"];

function choice(name, label, options, fewest = 2) {
  if (options.length < fewest) return null;
  const made = [element("option", { value: "" }, "any"), ...options.map(([value, text]) => element("option", { value }, text))];
  return element("label", {}, element("span", {}, label), element("select", { name }, made));
}

const named = (names) => [...new Set(names)].map((name) => [name, name]);

function between(label, low, high, unit) {
  const field = (name, text) => element("input", { name, type: "number", step: "any", inputmode: "decimal", "aria-label": `${label}, ${text}` });
  return element("div", { class: "between", role: "group", "aria-label": label },
    element("span", {}, label), field(low, "at least"), element("span", { "aria-hidden": "true" }, "to"), field(high, "at most"),
    unit ? element("span", {}, unit) : null);
}

function search(name, label, hint) {
  return element("label", { class: "wide" }, element("span", {}, label), element("input", { name, type: "search", placeholder: hint }));
}

function buildFilters() {
  const tags = all.tasks.flatMap((task) => task.tags).sort();
  const judged = all.rows.some((row) => row.people.some((mean) => mean !== null));
  const endings = all.endings.filter((name, place) => all.rows.some((row) => row.ending === place));
  const failed = all.rows.some((row) => row.failure >= 0);
  const seen = all.rows.some((row) => row.seen.length);
  const scores = [...all.dimensions.map(([name, short]) => [short, `${short}: ${name}`]), ["overall", "overall"]];
  const more = [
    choice("policy", "Player", named(all.players)),
    choice("evaluation", "Evaluation", named(all.evaluations.map(([name]) => name))),
    choice("set", "Task set", named(all.sets)),
    choice("tag", "Tag", named(tags).map(([value, text]) => [value, spaced(text)])),
    element("label", {}, element("span", {}, "Score"),
      element("select", { name: "dimension" }, scores.map(([value, text]) => element("option", { value: value === "GOAL" ? "" : value, selected: value === "GOAL" }, text)))),
    between("Score", "min", "max"),
    judged ? choice("people", `Rated by ${raters()}`, [["yes", "yes"], ["no", "no"]]) : null,
    judged ? between(`GOAL: judge over ${raters()}`, "gapmin", "gapmax") : null,
    between("Turns", "shortest", "longest"),
    choice("ending", "Ends", endings.map((name) => [name, ENDINGS[name]])),
    failed ? choice("state", "Failures", [["failed", "only failed"], ["unrated", "only not rated"], ["whole", "without"]]) : null,
    choice("learner", "What learns", named(all.learners), 1),
    all.learners.length ? choice("outcome", "Selection", [["kept", "kept"], ["dropped", "not kept"], ...present()]) : null,
    seen ? choice("found", "Safety study", [["harm", "harm"], ["prevention", "prevention"], ["any", "in the study"]]) : null,
    choice("sort", "Order", [["score-up", "lowest score first"], ["score-down", "highest score first"],
      ...(judged ? [["gap-down", `judge most above ${raters()}`], ["gap-up", `judge most below ${raters()}`]] : []),
      ["turns-down", "longest first"], ["turns-up", "shortest first"]]),
    element("button", { type: "reset" }, "Clear all"),
  ];
  place("filters").replaceChildren(
    search("q", "Task, people, goal", "a word of the scenario …"),
    search("said", "Said in the talk", "reads every part …"),
    element("details", { class: "wide", open: matchMedia("(min-width: 52rem)").matches },
      element("summary", {}, "Filters and order"),
      element("div", { class: "fields" }, more)));
  place("filters").querySelector("[name=sort] option").textContent = "as played";
}

const ENDINGS = { left: "someone leaves", silence: "in silence", turns: "at the turn limit", failed: "a call failed" };

function present() {
  const there = new Set(all.rows.flatMap((row) => row.chosen.map((told) => told[3])));
  return [...there].sort((a, b) => a - b).map((number) => [all.outcomes[number], all.outcomes[number]]);
}

// The form shows the address; a value that no field has (a players pair, a task) is a filter all the same.
function fill(values) {
  for (const field of place("filters").elements) {
    if (field.name && document.activeElement !== field) field.value = values[field.name] ?? "";
  }
}

let typing = 0;

function filtered() {
  const kept = Object.fromEntries(Object.entries(state.read()).filter(([name]) => !FIELDS.includes(name) || name === "task"));
  delete kept.page;
  for (const [name, value] of new FormData(place("filters"))) {
    if (value.trim()) kept[name] = value.trim();
    else if (name !== "task") delete kept[name];
  }
  state.set(kept, { quietly: true });
}

function listen() {
  const form = place("filters");
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(filtered, 120);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    state.set({}, { quietly: true });
    fill({});
  });
}
