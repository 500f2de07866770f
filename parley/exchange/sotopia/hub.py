"""Where SOTOPIA's profiles are published, at which revision, and how they come from there."""

from dataclasses import dataclass
from pathlib import Path

from parley.canonical import file_digest
from parley.errors import ParleyError
from parley.exchange import hub
from parley.exchange.sotopia.files import AGENTS, COMBOS, ENVIRONMENTS, NAMES, RELATIONSHIPS

LICENCE = "CC-BY-SA-4.0"
#: The SHA-256 of each file as the authors published it.
PUBLISHED = {
    AGENTS: "1f2f74c07fd9105242c7f2a951d5378f52cd03a6df113f6020edb90d31202f1b",
    RELATIONSHIPS: "33cd50cc1fbe93b8b7010ce5047e767e3a1ead421e791fee2bb1b9b2073327a2",
    ENVIRONMENTS: "b75de0c5b1b951ebeb66eb223ab3eec996caa890263a0bcd48ce2d9f4ce3e109",
    COMBOS: "46d5858322e8c8266c4aabc45e3ca5a6d8f91df0fc6f167b10adb5b1477a4815",
}


@dataclass(frozen=True)
class Repository(hub.Repository):
    """A folder of a repository on the hub. The default is the authors' demo, which is where the four files lie.

    (Their dataset `cmu-lti/sotopia` holds the episodes.)
    """

    name: str = "cmu-lti/sotopia-space"
    kind: str = "space"
    revision: str = "0c22348b475f2f0efcfcdad360e0710ca48d1636"
    folder: str = "profiles"


def fetch(repository: Repository) -> Path:
    """The folder of the hub's cache that holds the four files, fetched if they are not there yet.

    Raises `ParleyError` if the hub cannot be asked or has them not, and if the published revision has other bytes.
    """
    paths = [
        hub.download(repository, name, "set PARLEY_SOTOPIA to a folder that holds the four files") for name in NAMES
    ]
    if repository == Repository():
        for path in paths:
            if (found := file_digest(path)) != PUBLISHED[path.name]:
                raise ParleyError(
                    f"{path}: not what was published (SHA-256 {found}, expected {PUBLISHED[path.name]}); delete it from "
                    "the cache and fetch again"
                )
    return paths[0].parent
