// Play: an episode as one reads a play, alone or beside another of the same task.

async function read(values) {
  const row = all.byId.get(values.episode);
  const other = values.beside ? all.byId.get(values.beside) : null;
  const reading = place("reading");
  if (!row) {
    reading.replaceChildren(back(values), element("p", { class: "none" }, `There is no episode ${values.episode} here. It was played again since, or it is of another experiment.`));
    return;
  }
  const plays = await Promise.all([row, other].filter(Boolean).map(playOf));
  if (state.read().episode !== values.episode) return;
  reading.replaceChildren(
    heading(row, values),
    chooser(row, other, values),
    element("div", { class: other ? "two" : "one" }, script(row, plays[0], other), other ? script(other, plays[1], row) : null));
  document.title = `${row.told ? spaced(row.told.name) : row.id}: ${row.names.join(" with ")}`;
}

const back = (values) => element("a", { class: "back", href: state.address({ ...values, episode: null, beside: null }) }, "← all that were found");

function heading(row, values) {
  const at = found.indexOf(row);
  const step = (to, text, rel) => found[to] && at >= 0 ? element("a", { href: state.address({ ...values, episode: found[to].id, beside: null }), rel }, text) : null;
  const task = row.told;
  return element("header", {},
    element("nav", { "aria-label": "Episodes" }, back(values), step(at - 1, "previous", "prev"),
      at >= 0 ? element("span", { class: "quiet" }, `${at + 1} of ${found.length}`) : null, step(at + 1, "next", "next")),
    element("h2", {}, task ? spaced(task.name) : row.id),
    task ? element("p", { class: "scenario" }, task.scenario) : null,
    element("p", { class: "quiet" }, about(row, task) + "."));
}

function about(row, task) {
  const told = [task ? `relationship: ${task.relationship}` : "", `task set ${all.sets[row.set]}`,
    task?.tags.length ? `tagged ${task.tags.map(spaced).join(", ")}` : "", row.again ? `replicate ${row.again + 1}` : ""];
  const text = told.filter(Boolean).join("; ");
  return text[0].toUpperCase() + text.slice(1);
}

function chooser(row, other, values) {
  const others = besides(row);
  if (!others.length) return null;
  const title = (one) => `${one.names.join(" with ")}${one.pair === row.pair ? "" : ", other characters or replicate"}${scoreWords(one)}`;
  const options = [element("option", { value: "" }, "nothing"), ...others.map((one) => element("option", { value: one.id, selected: one === other }, title(one)))];
  const select = element("select", { id: "beside" }, options);
  select.addEventListener("change", () => state.set({ ...values, beside: select.value }));
  return element("p", { class: "beside" }, element("label", {}, element("span", {}, "Beside it, the same task: "), select));
}

function scoreWords(row) {
  const goals = row.focus.map((seat) => score(row, seat, "GOAL")).filter((goal) => goal !== null);
  return goals.length ? `: GOAL ${goals.join(" and ")}` : "";
}

function script(row, play, other) {
  return element("section", { class: "script", "aria-label": row.names.join(" with ") },
    other ? element("h3", { class: "who" }, player(row.names[0]), " with ", player(row.names[1])) : null,
    element("div", { class: "cast" }, [0, 1].map((seat) => character(row, play, seat))),
    element("ol", { class: "play" }, play.turns.length ? play.turns.map((turn) => line(turn, play)) : element("li", { class: "quiet" }, "Nobody says a word.")),
    element("p", { class: "ending" }, `${endingWords(row)}, after ${counted(row.turns, "turn")}.`,
      row.failure >= 0 ? element("span", { class: "failed" }, " " + all.failures[row.failure]) : null),
    element("div", { class: "verdicts" }, [0, 1].map((seat) => verdict(row, play, seat))),
    notes(play));
}

const endingWords = (row) => ({ left: "Someone leaves", silence: "It ends in silence", turns: "It ends at the turn limit", failed: "It breaks off" })[all.endings[row.ending]];

function character(row, play, seat) {
  const who = all.characters[row.cast[seat]] ?? {};
  const goal = row.told?.goals[seat];
  const role = row.told?.roles?.[seat];
  const about = [who.age, who.gender, who.pronouns, who.occupation].filter(Boolean).join(", ");
  const more = [["In public", who.public_info], ["Personality", who.personality_and_values], ["Decides", who.decision_making_style]];
  return element("div", { class: `seat-${seat}` },
    element("h3", {}, element("span", { class: `name seat-${seat}` }, play.names[seat]), element("span", { class: "quiet" }, " played by "), player(row.names[seat]), role ? element("span", { class: "quiet" }, `, ${role}`) : null),
    about ? element("p", { class: "quiet" }, about) : null,
    goal ? element("p", {}, element("b", {}, "Goal. "), goal.text) : null,
    goal && (goal.extra_info || goal.strategy_hint || goal.clarification_hint) ? element("p", { class: "note" }, element("b", {}, "Private note. "), [goal.extra_info, goal.clarification_hint, goal.strategy_hint].filter(Boolean).join(" ")) : null,
    who.secret ? element("p", { class: "note" }, element("b", {}, "Secret. "), who.secret) : null,
    more.some(([, text]) => text) ? element("details", {}, element("summary", {}, "Profile"), more.filter(([, text]) => text).map(([head, text]) => element("p", {}, element("b", {}, head + ". "), text))) : null);
}

function line([seat, kind, text, attempts, repaired], play) {
  const action = all.actions[kind];
  const act = action === "speak" ? element("span", { class: "said" }, text)
    : element("i", { class: action === "none" ? "quiet" : "" }, action === "none" ? "says nothing" : action === "leave" ? "leaves" : text);
  const told = [attempts > 1 ? `attempt ${attempts}` : "", repaired ? "mended by rule" : ""].filter(Boolean).join(", ");
  return element("li", {}, element("span", { class: `name seat-${seat}` }, play.names[seat]), " ", act, told ? element("small", { class: "quiet" }, told) : null);
}

// The judges' marks of a seat, and people's beside each.
function verdict(row, play, seat) {
  const people = play.people.filter((one) => one.seat === seat);
  const judged = play.ratings.filter((one) => one.seat === seat);
  return element("div", {},
    element("h3", {}, element("span", { class: `name seat-${seat}` }, play.names[seat]), element("span", { class: "quiet" }, " as rated")),
    judged.length ? judged.map((one) => (one.marks ? marks(one, one === judged[0] ? people : []) : element("p", { class: "none" }, `${one.judge}: no rating: ${one.failure}`))) : element("p", { class: "none" }, "No judge rated this."),
    people.length && !judged.some((one) => one.marks) ? marks({ judge: null, marks: null }, people) : null);
}

function marks(rating, people) {
  const mean = (of) => fixed(of.reduce((sum, value) => sum + value, 0) / of.length, 2);
  const heads = [rating.judge ?? "", ...(people.length ? [`people (${people.length}${people.some((one) => one.simulated) ? ", simulated" : ""})`] : [])];
  const rows = all.dimensions.map(([name, short], at) => {
    const told = people.map((one) => element("li", {}, element("b", {}, fixed(one.marks[at][0])), ` rater ${one.rater}`, one.marks[at][1] ? `: ${one.marks[at][1]}` : ""));
    return element("div", { class: people.length ? "three" : "" },
      element("dt", { title: name }, short),
      element("dd", { class: "judged" }, rating.marks ? [element("b", { class: "mark" }, fixed(rating.marks[at][0])), element("span", {}, rating.marks[at][1])] : null),
      people.length ? element("dd", { class: "human" }, element("b", { class: "mark", "data-by": people.some((one) => one.simulated) ? "simulated people" : "people" }, mean(people.map((one) => one.marks[at][0]))), element("ul", {}, told)) : null);
  });
  const overall = rating.marks ? mean(rating.marks.map(([mark]) => mark)) : null;
  return element("dl", {}, element("div", { class: people.length ? "three head" : "head" }, element("dt", {}, ""), heads.map((head) => element("dd", {}, head))), rows,
    overall === null ? null : element("div", {}, element("dt", {}, "mean"), element("dd", { class: "judged" }, element("b", { class: "mark" }, overall))));
}

// What else is known: who learned from it, and what the safety study saw.
function notes(play) {
  const chosen = play.chosen.map(([policy, seat, kept, outcome, reason]) =>
    element("li", {}, player(all.learners[policy]), kept ? " learned from " : " did not learn from ", `${play.names[seat]}: ${reason || all.outcomes[outcome]}`));
  const seen = play.seen.map(([name, role, harm, prevention, why]) =>
    element("li", {}, player(name), ` as ${role}: `, harm === null || harm === undefined ? "" : harm ? "harm. " : "no harm. ", prevention === null || prevention === undefined ? "" : prevention ? "prevention. " : "no prevention. ", why ?? ""));
  return chosen.length + seen.length ? element("ul", { class: "notes" }, chosen, seen) : null;
}
