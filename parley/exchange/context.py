"""Context: what SOTOPIA's logs repeat of the task and the characters in every episode, written from ours."""

from parley.exchange.sotopia.goal import written_goal
from parley.records.character import Character
from parley.records.task import Task
from parley.world.observation import visible_profile


def background(person: Character) -> str:
    """All that there is about a person, the secret too: for the reader of an episode, never for the other agent."""
    return _about(person.name, person.model_dump(), secret=person.secret)


def context(task: Task, people: tuple[Character, Character], seat: int) -> str:
    """What the agent in `seat` knows before an episode begins: of the other what the relationship shows, and no goal."""
    me, other = people[seat], people[1 - seat]
    seen = {seat: background(me), 1 - seat: _about(other.name, visible_profile(other, task.relationship))}
    return "\n".join(
        [
            f"Scenario: {task.scenario}",
            f"Participants: {people[0].name} and {people[1].name}",
            *(f"{person.name}'s background: {seen[number]}" for number, person in enumerate(people)),
            *(
                f"{person.name}'s goal: {written_goal(task.goals[number]) if number == seat else 'Unknown'}"
                for number, person in enumerate(people)
            ),
        ]
    )


def _about(name: str, profile: dict[str, object], secret: str = "") -> str:
    labels = {
        "age": "age",
        "gender": "gender",
        "pronouns": "pronouns",
        "occupation": "occupation",
        "public_info": "publicly known",
        "personality_and_values": "personality and values",
    }
    facts = [f"{label}: {profile[key]}" for key, label in labels.items() if profile[key]]
    facts += [f"secret: {secret}"] if secret else []
    return f"{name}. {'; '.join(facts)}" if facts else "Unknown"
