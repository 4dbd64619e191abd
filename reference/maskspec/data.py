"""Where the data files of maskspec are: one helper, so that no module guesses paths.

The written spec (`spec/`) and the corpora (`corpora/`) lie outside the package
in the repository and inside it, under `maskspec/_data/`, in an installed wheel.
Everything that reads them asks here.
"""

from __future__ import annotations

from pathlib import Path

from maskspec.errors import CorpusError

__all__ = ["AREAS", "data_path"]

AREAS: tuple[str, ...] = ("spec", "corpora")
"""The two data folders that maskspec ships."""

_PACKAGE = Path(__file__).resolve().parent


def data_path(area: str, *parts: str, package: Path = _PACKAGE) -> Path:
    """Return the path of a data file or folder that exists.

    `area` is one of `AREAS`; `parts` lead from there to the file, as in
    `data_path("corpora", "manifest.toml")`. The installed wheel
    (`maskspec/_data/<area>`) comes first, then the checkout, two levels above
    the package. `package` is the folder of the package itself.

    Raises:
        CorpusError: the area is unknown, or the file is in neither place; the
            message names both places.
    """
    if area not in AREAS:
        raise CorpusError(f"unknown data area {area!r}; known are {', '.join(AREAS)}")
    roots = (package / "_data" / area, package.parent.parent / area)
    for root in roots:
        if root.is_dir():
            path = root.joinpath(*parts)
            if path.exists():
                return path
            raise CorpusError(
                f"{'/'.join((area, *parts))} is missing: looked for it at {path}; the installation is incomplete, "
                "reinstall maskspec or restore the file in the checkout"
            )
    wheel, checkout = roots
    raise CorpusError(
        f"the data folder {area!r} was found neither in the installed package ({wheel}) nor in a checkout "
        f"({checkout}); reinstall maskspec from a wheel, or run from a complete checkout"
    )
