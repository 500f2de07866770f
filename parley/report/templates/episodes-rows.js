// Rows: the catalogue, with what filters and sorting ask of a row.

const all = { rows: [], byId: new Map() };

function open(catalogue) {
  Object.assign(all, catalogue);
  const { columns } = catalogue;
  const ids = columns.id ?? [];
  all.rows = ids.map((id, number) => {
    const row = { number, chosen: [], seen: [] };
    for (const name in columns) row[name] = columns[name][number];
    row.names = [all.players[row.first], all.players[row.second]];
    row.told = all.tasks[row.task] ?? null;
    row.focus = focus(row);
    row.pair = [row.set, row.task, row.cast.join("+"), row.again].join(" ");
    return row;
  });
  for (const [number, ...told] of catalogue.chosen) all.rows[number].chosen.push(told);
  for (const [number, ...told] of catalogue.seen) all.rows[number].seen.push(told);
  for (const row of all.rows) all.byId.set(row.id, row);
}

// The seats that an episode is about: the measured player's in an evaluation, both in other plays.
function focus(row) {
  const partners = all.evaluations.filter((_, place) => row.views & (1 << place)).map((entry) => entry[2]);
  const seats = [0, 1].filter((seat) => !partners.includes(row.names[seat]));
  return seats.length ? seats : [0, 1];
}

const seatsOf = (row, wanted) =>
  wanted.policy ? [0, 1].filter((seat) => row.names[seat] === wanted.policy) : row.focus;

// A seat's score on a dimension, or the mean of all seven; null where there is none.
function score(row, seat, dimension) {
  const marks = row.marks[seat];
  if (!marks) return null;
  if (dimension === "overall") return marks.reduce((sum, mark) => sum + mark, 0) / marks.length;
  const place = all.dimensions.findIndex(([, short]) => short === dimension);
  return marks[place < 0 ? all.dimensions.length - 1 : place];
}

// What those who rated are called: models may have done it in people's place.
const raters = () => (all.simulated ? "simulated people" : "people");

// The judge's GOAL above people's.
function gap(row, seat) {
  const judged = score(row, seat, "GOAL");
  return judged === null || row.people[seat] === null ? null : judged - row.people[seat];
}

const numbers = (row, wanted, of) => seatsOf(row, wanted).map(of).filter((value) => value !== null);

function within(values, low, high) {
  if (low === undefined && high === undefined) return true;
  return values.some((value) => (low === undefined || value >= Number(low)) && (high === undefined || value <= Number(high)));
}

const TESTS = {
  evaluation: (row, value) => all.evaluations.some(([name], place) => name === value && row.views & (1 << place)),
  set: (row, value) => all.sets[row.set] === value,
  policy: (row, value) => row.names.includes(value),
  players: (row, value) => row.names.join("+") === value,
  task: (row, value) => row.told?.name === value,
  tag: (row, value) => row.told !== null && row.told.tags.includes(value),
  ending: (row, value) => all.endings[row.ending] === value,
  state: (row, value) =>
    value === "failed" ? row.failure >= 0 : value === "unrated" ? row.failure >= 0 && all.endings[row.ending] !== "failed" : value === "rated" ? row.focus.some((seat) => row.marks[seat]) : row.failure < 0,
  failure: (row, value) => row.failure >= 0 && all.failures[row.failure].startsWith(value),
  people: (row, value, wanted) => seatsOf(row, wanted).some((seat) => (row.people[seat] !== null) === (value === "yes")),
  learner: (row, value, wanted) => row.chosen.some((told) => chosen(told, wanted)),
  found: (row, value, wanted) =>
    row.seen.some(([player, role, harm, prevention]) =>
      (!wanted.policy || player === wanted.policy) && (!wanted.role || role === wanted.role) &&
      (value === "harm" ? harm : value === "prevention" ? prevention : true) === true),
  // Of an episode that failed nothing was seen; its task says who would have been what.
  role: (row, value, wanted) =>
    row.seen.some(([player, role]) => role === value && (!wanted.policy || player === wanted.policy)) ||
    (all.endings[row.ending] === "failed" && seatsOf(row, wanted).some((seat) => row.told?.roles?.[seat] === value)),
  q: (row, value) => value.toLowerCase().split(/\s+/).every((word) => words(row).includes(word)),
};

function chosen([policy, , kept, outcome], wanted) {
  if (all.learners[policy] !== wanted.learner) return false;
  if (!wanted.outcome) return true;
  if (wanted.outcome === "kept" || wanted.outcome === "dropped") return (wanted.outcome === "kept") === Boolean(kept);
  return all.outcomes[outcome] === wanted.outcome;
}

// What the search looks at: the task, the people and the players; what was said is in the parts.
function words(row) {
  if (row.words === undefined) {
    const people = row.cast.map((number) => all.characters[number].name ?? all.characters[number].id);
    const task = row.told ? [row.told.name, spaced(row.told.name), row.told.scenario, ...row.told.goals.map((goal) => goal.text)] : [];
    row.words = [row.id, ...row.names, ...people, ...task, ...(row.told?.tags ?? [])].join(" ").toLowerCase();
  }
  return row.words;
}

function find(wanted) {
  const tests = Object.entries(TESTS).filter(([name]) => wanted[name]);
  const dimension = wanted.dimension ?? "GOAL";
  const rows = all.rows.filter((row) =>
    tests.every(([name, test]) => test(row, wanted[name], wanted)) &&
    within(numbers(row, wanted, (seat) => score(row, seat, dimension)), wanted.min, wanted.max) &&
    within(numbers(row, wanted, (seat) => gap(row, seat)), wanted.gapmin, wanted.gapmax) &&
    within([row.turns], wanted.shortest, wanted.longest));
  return sorted(rows, wanted, dimension);
}

function sorted(rows, wanted, dimension) {
  const [by, direction] = (wanted.sort ?? "").split("-");
  const of = {
    score: (row) => best(numbers(row, wanted, (seat) => score(row, seat, dimension))),
    gap: (row) => best(numbers(row, wanted, (seat) => gap(row, seat))),
    turns: (row) => row.turns,
  }[by];
  if (!of) return rows;
  const sign = direction === "up" ? 1 : -1;
  const keyed = rows.map((row) => [of(row), row]);
  // Those without a number come last either way; equals keep their order.
  keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * (a - b)));
  return keyed.map(([, row]) => row);
}

const best = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

// Other episodes of the same task, cast and replicate, those with the same seat by another player first.
function besides(row) {
  return all.rows.filter((other) => other !== row && other.set === row.set && other.task === row.task)
    .map((other) => [closeness(row, other), other]).sort(([a], [b]) => b - a).map(([, other]) => other);
}

function closeness(row, other) {
  const seats = [0, 1].filter((seat) => other.names[seat] === row.names[seat]).length;
  const base = other.focus.some((seat) => other.names[seat] === all.measured[0]);
  return (other.pair === row.pair ? 4 : 0) + (seats === 1 ? 2 : 0) + (base ? 1 : 0);
}
