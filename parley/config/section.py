"""What every part of the config has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the config: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
