"""A goal as SOTOPIA writes it: a text with its hints in tags, `Sell it (<extra_info>… <strategy_hint>…</…></…>)`."""

import re

from parley.records.task import Goal

HINTS = ("extra_info", "clarification_hint", "strategy_hint")
_TAG = re.compile(rf"<(/?)({'|'.join(HINTS)})>")
_MARK = "\0"  # where tags stood in the text around them


def read_goal(written: object) -> dict[str, str | None]:
    """The fields of a `Goal`. Tags may be nested, side by side, in brackets or not; labels in them are kept.

    Raises `ValueError` for a tag that is not closed in order.
    """
    if not isinstance(written, str):
        raise ValueError(f"a goal is a text, not {written!r}")
    said: dict[str, list[str]] = {name: [] for name in ("", *HINTS)}
    open_tags = [""]
    end = 0
    for tag in _TAG.finditer(written):
        said[open_tags[-1]].append(written[end : tag.start()])
        end = tag.end()
        closing, name = tag.groups()
        if not closing:
            if len(open_tags) == 1:
                said[""].append(_MARK)
            open_tags.append(name)
        elif open_tags[-1] == name:
            open_tags.pop()
        else:
            raise ValueError(f"a goal closes <{name}>, which is not the tag that is open; write each tag as a pair")
    if len(open_tags) > 1:
        raise ValueError(f"a goal does not close <{open_tags[-1]}>; add </{open_tags[-1]}>")
    said[""].append(written[end:])
    return {"text": _around("".join(said[""])), **{name: "".join(said[name]).strip() or None for name in HINTS}}


def _around(written: str) -> str:
    """The text around the tags, without the brackets that held them."""
    bare = re.sub(rf"\s*\(\s*{_MARK}[\s{_MARK}]*\)\s*", " ", written)
    return re.sub(rf"\s*{_MARK}\s*", " ", bare).strip()


def written_goal(goal: Goal) -> str:
    """The goal in the published form: hints inside the extra information, where there is any, and all in brackets."""
    hints = " ".join(f"<{name}>{said}</{name}>" for name in HINTS[1:] if (said := getattr(goal, name)))
    inner = hints
    if goal.extra_info:
        inner = f"<extra_info>{' '.join(part for part in (goal.extra_info, hints) if part)}</extra_info>"
    return f"{goal.text} ({inner})" if inner else goal.text
