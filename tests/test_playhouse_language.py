"""What is said in the small world is heard again, slips are forgiven, amounts never, and a deal is what was settled."""

from itertools import product
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parley.playhouse.deal import Deal, did, last_offer, offers, promised, settle
from parley.playhouse.language import Act, closest, hear, lexicon, say, sentences, split_sentences
from parley.playhouse.reading import Line, read_line

VARIANTS = [(kind, template) for kind, templates in sentences().items() for template in templates]
ABOUT = sorted({kind for kind, template in VARIANTS if "{x}" in template})
ODD = [
    "$70",
    "$12.50",
    "$1,200",
    "the neighbour's garden",
    "Ann's mother's 3 o'clock tea",
    "one, two and three",
    "{x}",
    "a (very) odd [thing]",
    r"C++ or \d+",
    "100%: all of it",
    "Käse & 茶",
    "x",
]
#: Kinds of phrases that a goal or an act is about.
PHRASES = {
    **{kind: lexicon()[kind] for kind in ("share_ways", "help", "reasons", "deeds", "promises")},
    **{kind: lexicon()[kind] for kind in ("harms", "targets", "better_ways")},
    "outings": [f"the {place}" for place in lexicon()["outings"]],
    **{kind: [entry[kind] for entry in lexicon()["secrets"]] for kind in ("question", "fact", "half")},
}

words = st.text("abcdefgxyzABCÄéß0123456789$'’-,;:%&{}()\\/", min_size=1, max_size=9)
phrases = st.lists(words, min_size=1, max_size=5).map(" ".join).filter(lambda text: not text.endswith("instead"))


def line(who: str, text: str) -> Line:
    """A line as it stands in a prompt."""
    read = read_line(f"{who}: {text}")
    assert read is not None
    return read


def talk(*texts: str) -> list[Line]:
    """A talk of A and B in turn."""
    return [line("AB"[number % 2], text) for number, text in enumerate(texts)]


# -- saying and hearing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "template"), VARIANTS)
def test_every_sentence_is_heard_as_the_act_it_says(kind: str, template: str) -> None:
    for about in ODD if "{x}" in template else [""]:
        assert hear(template.format(x=about)) == [Act(kind, about)]


@given(phrases, st.sampled_from(ABOUT), st.integers(0, 99))
def test_whatever_an_act_is_about_is_heard_again(about: str, kind: str, seed: int) -> None:
    assert hear(say([Act(kind, about)], Random(seed))) == [Act(kind, about)]


@given(st.lists(st.tuples(st.sampled_from(sorted(sentences())), phrases), max_size=5), st.integers(0, 99))
def test_acts_said_together_are_heard_in_their_order(drawn: list[tuple[str, str]], seed: int) -> None:
    acts = [Act(kind, about if kind in ABOUT else "") for kind, about in drawn]
    assert hear(say(acts, Random(seed))) == acts


def test_no_sentence_belongs_to_two_acts() -> None:
    templates = [template.lower() for _, template in VARIANTS]
    assert len(set(templates)) == len(templates)


def test_every_act_has_a_sentence_and_every_variant_gets_said() -> None:
    for kind, templates in sentences().items():
        assert templates
        said = {say([Act(kind, "X")], Random(seed)) for seed in range(60)}
        assert said == {template.format(x="X") for template in templates}


def test_the_same_seed_says_the_same_words() -> None:
    acts = [Act("greet", "Ben"), Act("propose", "$70"), Act("reason", "time is short")]
    assert say(acts, Random(5)) == say(acts, Random(5))
    assert len({say(acts, Random(seed)) for seed in range(20)}) > 5


def test_instead_is_not_mistaken_for_a_proposal() -> None:
    assert hear("How about the lake instead?") == [Act("instead", "the lake")]
    assert hear("How about the lake?") == [Act("propose", "the lake")]


def test_capitals_do_not_matter_but_the_words_are_kept() -> None:
    assert hear("HOW ABOUT The Lake?") == [Act("propose", "The Lake")]


def test_small_talk_and_insults_are_heard_as_such() -> None:
    assert hear(lexicon()["chat"][0]) == [Act("chat")]
    assert hear(lexicon()["insults"][2]) == [Act("insult")]


def test_a_sentence_that_nobody_says_is_babble_and_spoils_no_other() -> None:
    assert hear("How about $70? Colourless ideas sleep. Agreed, $70.") == [
        Act("propose", "$70"),
        Act("babble", "Colourless ideas sleep."),
        Act("accept", "$70"),
    ]
    assert hear("how about") == [Act("babble", "how about")]
    assert hear("How about ?") == [Act("babble", "How about ?")]


def test_silence_says_nothing() -> None:
    assert hear("") == hear("  \n ") == []


@given(st.text(max_size=200))
def test_any_text_is_heard_one_act_a_sentence(text: str) -> None:
    heard = hear(text)
    assert len(heard) == len(split_sentences(text))
    assert all(act.kind == "babble" or act.kind in sentences() for act in heard)


# -- the words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PHRASES)
def test_phrases_of_a_kind_are_never_mistaken_for_each_other(kind: str) -> None:
    known = PHRASES[kind]
    for phrase in known:
        assert closest(phrase, [other for other in known if other != phrase]) is None


@pytest.mark.parametrize("kind", sorted(PHRASES.keys() - {"question"}))
def test_phrases_of_a_kind_begin_with_words_of_their_own(kind: str) -> None:
    firsts = [phrase.removeprefix("the ").split()[0] for phrase in PHRASES[kind]]
    assert sorted(set(firsts)) == sorted(firsts)


@pytest.mark.parametrize("kind", PHRASES)
def test_every_phrase_fits_every_sentence(kind: str) -> None:
    for phrase, (act, template) in product(PHRASES[kind], VARIANTS):
        if "{x}" in template:
            assert hear(template.format(x=phrase)) == [Act(act, phrase)]


# -- slips and amounts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("taking turns", "taking turns"),
        ("takin turns", "taking turns"),
        ("Taking Turns", "taking turns"),
        ("the museun", "the museum"),
        ("the zo", "the zoo"),
        ("the pool", None),
        ("two days", None),
        ("turns", None),
        ("", None),
    ],
)
def test_slips_of_the_pen_are_forgiven_and_other_words_are_not(said: str, meant: str | None) -> None:
    assert closest(said, ["the museum", "taking turns", "the zoo"]) == meant


def test_of_two_likely_phrases_the_nearer_is_meant() -> None:
    assert closest("the garrden", ["the harden", "the garden"]) == "the garden"


def test_nothing_is_meant_where_nothing_is_known() -> None:
    assert closest("taking turns", []) is None


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.sampled_from(["${}", "to pay ${} in the end", "{} coins"]))
def test_another_amount_is_never_a_slip(said: int, known: int, phrase: str) -> None:
    assume(said != known)
    assert closest(phrase.format(f"{said}"), [phrase.format(f"{known}")]) is None


def test_a_slip_in_the_words_around_the_same_amount_is_forgiven() -> None:
    assert (
        closest("to pay $70 in the ent", ["to pay $90 in the end", "to pay $70 in the end"]) == "to pay $70 in the end"
    )


def test_a_broken_amount_is_not_mended() -> None:
    assert closest("$700", ["$70", "$90"]) is None
    assert closest("$7", ["$70"]) is None
    assert closest("$ 100", ["$100"]) is None


# -- deals -----------------------------------------------------------------------------------------------------------

TERMS = ["$90", "$70", "$40"]


@pytest.mark.parametrize(
    ("said", "deal"),
    [
        (["How about $70?", "Agreed, $70."], Deal("$70", "B")),
        (["How about $70?", "No, not $70.", "Hello B.", "Deal, $70."], Deal("$70", "B")),
        (["I could live with $70.", "Fine, let it be $70."], Deal("$70", "B")),
        (["How about $90?", "How about $70 instead?", "Agreed, $70."], Deal("$70", "A")),
        (["How about $90? How about $70?", "Agreed, $90."], Deal("$90", "B")),
        (["How about $70?", "How about $40? Agreed, $70."], Deal("$70", "B")),
        (["How about $55?", "Agreed, $55."], Deal("$55", "B")),
        (["How about $90?", "Agreed, $90.", "How about $70?", "Agreed, $70."], Deal("$70", "B")),
        (["How about $90?", "Agreed, $90.", "How about $70?", "No, not $70."], Deal("$90", "B")),
        (["How about $90? How about $70?", "Agreed, whatever you like."], Deal("$70", "B")),
    ],
)
def test_a_deal_is_the_newest_term_that_one_offered_and_the_other_accepted(said: list[str], deal: Deal) -> None:
    assert settle(talk(*said), TERMS) == deal


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["Agreed, $70."],
        ["Agreed, whatever you like."],
        ["Hello B.", "Agreed, $70.", "How about $70?"],
        ["How about $70?", "Hello A.", "Agreed, $70."],
        ["How about $70? Agreed, $70."],
        ["How about $90?", "Agreed, $70."],
        ["How about $90?", "Agreed, $85."],
        ["I want to get back at $70.", "Agreed, $70."],
        ["How about $70?", "No, not $70.", "You see, $70.", "Thank you, I am glad we talked."],
    ],
)
def test_nothing_is_settled_by_accepting_what_the_other_did_not_offer(said: list[str]) -> None:
    assert settle(talk(*said), TERMS) is None


def test_a_deal_forgives_slips_in_words() -> None:
    said = talk("How about takng turns?", "Agreed, taking turn.")
    assert settle(said, ["taking turns", "drawing lots"]) == Deal("taking turns", "B")


def test_gestures_settle_nothing() -> None:
    nod = read_line("B [non-verbal communication] Agreed, $70.")
    assert nod is not None and nod.acts == ()
    assert settle([line("A", "How about $70?"), nod], TERMS) is None


ANY_LINE = st.builds(
    lambda who, kind, about: line(who, say([Act(kind, about)], Random(0))),
    st.sampled_from("AB"),
    st.sampled_from(["propose", "open", "instead", "accept", "reject", "reason"]),
    st.sampled_from([*TERMS, "$85", "taking turns", "nothing"]),
)


@given(st.lists(ANY_LINE, max_size=12))
def test_a_settled_term_was_offered_by_the_one_who_did_not_accept(said: list[Line]) -> None:
    if deal := settle(said, TERMS):
        last = max(i for i, one in enumerate(said) if one.who == deal.accepted_by and did([one], "accept"))
        others = [one for one in said[:last] if one.who != deal.accepted_by]
        assert deal.term in [term for one in others for term in offers(one, TERMS)]


def test_the_newest_offer_is_found_and_named_as_the_known_term() -> None:
    said = talk("How about the museun?", "I could live with the zoo.", "Hello B.")
    assert last_offer(said, ["the museum", "the zoo"]) == "the zoo"
    assert last_offer(said[:1], ["the museum"]) == "the museum"
    assert last_offer(said[:1], []) == "the museun"
    assert last_offer(said[2:], ["the zoo"]) is None
    assert last_offer(talk("How about the zoo? How about the museum?"), []) == "the museum"


def test_what_was_done_is_listed_oldest_first_and_promises_forgive_slips() -> None:
    said = talk("I promise to call each week.", "Hello A.", "I promise to pay for it. You see, time is short.")
    assert did(said, "promise") == ["call each week", "pay for it"]
    assert did(said, "greet", "reason") == ["A", "time is short"]
    assert did(said, "insult") == []
    assert promised(said, "call each weak")
    assert not promised(said, "listen first")
