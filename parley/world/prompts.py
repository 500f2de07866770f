"""The templates in `prompts/`: every text that a model sees is rendered here."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from parley.errors import ParleyError

_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)


class Prompt:
    """One template file. Rendering is strict: a name that the template uses and nobody gives is an error."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._template = _ENVIRONMENT.from_string(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ParleyError(f"{path}: no such prompt; correct `prompts:` in the config") from None
        except jinja2.TemplateSyntaxError as error:
            raise ParleyError(f"{path}:{error.lineno}: not a template ({error.message}); mend the line") from None

    def render(self, **values: Any) -> str:
        """The text, without blank lines at its ends."""
        try:
            return self._template.render(**values).strip()
        except jinja2.UndefinedError as error:
            raise ParleyError(f"{self.path}: {error.message}; the template uses a name that it is not given") from None


@lru_cache(maxsize=64)
def prompt(path: str) -> Prompt:
    """The template at `path`, read once per process."""
    return Prompt(path)
