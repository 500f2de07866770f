"""Prose: every action comes back from it as it was, and what is no action is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.exchange.prose import as_prose, from_prose, is_private
from parley.records.episode import Action

#: What play can give: words for those who speak, gesture or act, and none for the others.
ACTIONS = st.one_of(
    st.builds(Action, action_type=st.sampled_from(["none", "leave"]), argument=st.just("")),
    st.builds(Action, action_type=st.sampled_from(["speak", "non-verbal communication", "action"]), argument=st.text()),
)


@pytest.mark.parametrize(
    ("text", "kind", "argument"),
    [
        ('said: "Twelve."', "speak", "Twelve."),
        ('said: "She said "twelve", did she?"', "speak", 'She said "twelve", did she?'),
        ('said: ""Twelve""', "speak", '"Twelve"'),
        ('said: ""', "speak", ""),
        ('said: "First.\nThen this: said: "no""', "speak", 'First.\nThen this: said: "no"'),
        ("[action] puts the lamp away", "action", "puts the lamp away"),
        ("[action] says [action] aloud", "action", "says [action] aloud"),
        ("[action]", "action", ""),
        ("[non-verbal communication] nods", "non-verbal communication", "nods"),
        ("did nothing", "none", ""),
        ("left the conversation", "leave", ""),
        ('said: "left the conversation"', "speak", "left the conversation"),
        ("[action] did nothing", "action", "did nothing"),
    ],
)
@pytest.mark.parametrize("lead", ["", " "])
def test_prose_tells_of_an_action(lead: str, text: str, kind: str, argument: str) -> None:
    action = from_prose(lead + text)
    assert (action.action_type, action.argument) == (kind, argument)


@given(ACTIONS)
def test_an_action_comes_back_from_its_prose(action: Action) -> None:
    assert from_prose(as_prose(action)) == action


@given(ACTIONS)
def test_the_leading_space_and_the_hearers_change_nothing(action: Action) -> None:
    for lead in (" ", "[private to ['Ben Birch']] ", " [private to ['Ann Ash', 'Ben Birch']] "):
        assert from_prose(lead + as_prose(action)) == action
        assert is_private(lead + as_prose(action)) == ("private" in lead)
    assert not is_private(as_prose(action))


@pytest.mark.parametrize(
    "text", ["", "said: ", 'said: "', 'said: "open', "nods", "did nothing at all", "[speak] hello"]
)
def test_what_is_no_action_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no action in"):
        from_prose(text)
