"""Lineage: what the experiment's results are made of, as a drawing in which every node leads to its files."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from parley.config import Seats
from parley.layout import Layout
from parley.report import links
from parley.report.words import listed

#: Pixels: a node, and the room around it.
WIDTH, HEIGHT, GAP, STEP = 140, 44, 14, 80


@dataclass(frozen=True)
class Node:
    """A step: its words, the folder or file that it makes (seen from the page), and what it is made of."""

    key: str
    title: str
    about: str
    href: str
    made_of: tuple[str, ...] = ()
    player: str | None = None


@dataclass(frozen=True)
class Box:
    """A node with its place in the drawing: the upper left corner."""

    node: Node
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """The drawing: boxes, and the paths of the lines between them."""

    boxes: list[Box] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    width: float = 0
    height: float = 0


def nodes(layout: Layout, simulated: bool = False) -> list[Node]:
    """The steps of an experiment, each after those that it is made of; `simulated` says that no person rates."""
    experiment = layout.experiment
    found = [_tasks(layout, name) for name in experiment.task_sets]
    done: set[str] = set()
    for name in _in_order(layout):
        entry = experiment.policies[name]
        if (source := entry.learns_from) is None:
            about = f"{entry.model} as it is"
            found.append(Node(f"policy {name}", name, about, links.file(f"policies/{name}.json"), player=name))
            continue
        if source.played and (play := f"play {source.tasks} {'+'.join(source.players)}") not in done:
            done.add(play)
            found.append(_play(layout, source.tasks, source.players, source.judge))
        made_of = (play,) if source.played else ()
        found.append(
            Node(f"data {name}", f"for {name}", source.selection.words(), links.file(f"datasets/{name}/"), made_of)
        )
        parents = (f"data {name}", f"policy {entry.parent}")
        about = f"trained from {entry.parent}"
        found.append(Node(f"policy {name}", name, about, links.file(f"policies/{name}/"), parents, name))
    found += [_study(layout, player) for player in experiment.measured()] if experiment.evaluations else []
    trained = tuple(f"policy {name}" for name in experiment.policies)
    ends = [node.key for node in found if node.key.startswith("study")]
    if experiment.knowledge is not None:
        found.append(Node("knowledge", "knowledge", "of every policy", links.file("knowledge/"), trained))
        ends.append("knowledge")
    if experiment.safety is not None:
        tasks = (f"tasks {experiment.safety.tasks}",)
        found.append(Node("safety", "safety", "of all that is measured", links.file("safety/"), (*trained, *tasks)))
        ends.append("safety")
    if layout.people() is not None and experiment.evaluations:
        studies = tuple(key for key in ends if key.startswith("study"))
        title = "simulated raters" if simulated else "people"
        found.append(Node("people", title, "correct the judge", links.file("human/"), studies))
        ends.append("people")
    found.append(Node("page", "this page", "and every episode", links.EPISODES, tuple(ends)))
    return found


def _tasks(layout: Layout, name: str) -> Node:
    entry = layout.experiment.task_sets[name]
    about = "tasks of a file" if entry.file else f"tasks by {entry.writer}"
    return Node(f"tasks {name}", name, about, links.file(f"tasks/{name}/"))


def _play(layout: Layout, task_set: str, players: Seats, judge: str) -> Node:
    made_of = (f"tasks {task_set}", *_policies(layout, players))
    title = " with ".join(players)
    href = links.file(f"episodes/{task_set}/{'+'.join(players)}/")
    return Node(f"play {task_set} {'+'.join(players)}", title, f"on {task_set}, by {judge}", href, made_of)


def _study(layout: Layout, player: str) -> Node:
    studies = layout.experiment.evaluations
    tasks = dict.fromkeys(f"tasks {entry.tasks}" for entry in studies.values())
    partners = _policies(layout, (entry.partner for entry in studies.values()))
    made_of = dict.fromkeys([*_policies(layout, [player]), *tasks, *partners])
    return Node(
        f"study {player}",
        f"{player} measured",
        listed(list(studies)),
        links.file(f"scores/{player}/"),
        tuple(made_of),
        player,
    )


def _policies(layout: Layout, players: Iterable[str]) -> list[str]:
    return [f"policy {name}" for name in dict.fromkeys(players) if name in layout.experiment.policies]


def _in_order(layout: Layout) -> list[str]:
    """The policies, each after its parent and after those whose talks it learns from."""
    policies, done = layout.experiment.policies, list[str]()

    def add(name: str) -> None:
        if name in done:
            return
        entry = policies[name]
        before = [entry.parent, *(entry.learns_from.players if entry.learns_from else ())]
        for other in before:
            if other in policies and other is not None:
                add(other)
        done.append(name)

    for name in policies:
        add(name)
    return done


def graph(steps: list[Node]) -> Graph:
    """The steps in layers from above to below: each below all that it is made of, studies side by side."""
    known = {node.key: node for node in steps}
    layer: dict[str, int] = {}
    for node in steps:
        layer[node.key] = max((layer[key] + 1 for key in node.made_of if key in layer), default=0)
    late = [key for key in layer if key.startswith(("study", "knowledge", "safety"))]
    for key in late:
        layer[key] = max(layer[other] for other in late)
    for key in (key for key in ("people", "page") if key in layer):
        layer[key] = 1 + max((layer[other] for other in known[key].made_of), default=0)
    rows: dict[int, list[str]] = {}
    for key, number in layer.items():
        rows.setdefault(number, []).append(key)
    widest = max(len(row) for row in rows.values())
    width = widest * (WIDTH + GAP) - GAP
    places: dict[str, tuple[float, float]] = {}
    for number in sorted(rows):
        row = sorted(rows[number], key=lambda key: _middle(known[key], places, width))
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for turn, key in enumerate(row):
            places[key] = (left + turn * (WIDTH + GAP), number * STEP)
    lines = [_line(places[key], places[node.key]) for node in steps for key in node.made_of if key in places]
    boxes = [Box(node, *places[node.key]) for node in steps]
    return Graph(boxes, lines, width, max(y for _, y in places.values()) + HEIGHT)


def _middle(node: Node, places: dict[str, tuple[float, float]], width: float) -> float:
    """Where the things that a node is made of stand; the middle for what is made of nothing."""
    above = [places[key][0] for key in node.made_of if key in places]
    return sum(above) / len(above) if above else width / 2


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0] + WIDTH / 2, start[1] + HEIGHT, end[0] + WIDTH / 2, end[1]
    bend = (y1 - y0) / 2
    return f"M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
