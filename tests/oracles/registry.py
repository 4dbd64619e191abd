"""The oracles, by name. Each module imports its library where it is first asked, so listing needs none of them."""

from __future__ import annotations

from importlib import metadata

from tests.oracles import harmony, llama, mistral, sampled, tags, tml
from tests.oracles.oracle import Oracle

ORACLES: dict[str, Oracle] = {
    "mistral": mistral.ORACLE,
    "llama": llama.ORACLE,
    "tags": tags.ORACLE,
    "renderers": sampled.ORACLE,
    "harmony": harmony.ORACLE,
    "tml": tml.ORACLE,
}


def lacking(oracle: Oracle) -> list[str]:
    """What an oracle needs and this environment has not, or has in another version than the classes were found in."""
    found = []
    for package, version in oracle.packages.items():
        try:
            installed = metadata.version(package)
        except metadata.PackageNotFoundError:
            found.append(f"{package} is not installed")
            continue
        if installed != version and not installed.startswith((f"{version}.", f"{version}+")):
            found.append(f"{package} {installed} is installed, the classes were found with {version}")
    return found
