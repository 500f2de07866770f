"""Names in a config, and the pair of them that plays."""

from typing import Annotated

from pydantic import Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower case, digits and _")]
Seats = tuple[str, str]
