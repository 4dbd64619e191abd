"""Reads the user's own files: a template, or a folder as `save_pretrained` writes it, from disk or from a hub.

Nothing here runs code that comes with a model: templates are read as text and
tokenizers are loaded with `trust_remote_code=False`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from maskspec.corpus._libraries import need
from maskspec.corpus.records import Template
from maskspec.corpus.validation import suggestion
from maskspec.errors import CorpusError, MissingPackageError
from maskspec.tokens import Tokenizer

__all__ = ["fetch", "folder_templates", "load_folder_tokenizer", "template_of_file", "template_of_folder"]

_FILES = [
    "*.jinja",
    "additional_chat_templates/*.jinja",
    "chat_template.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "*.tiktoken",
    "tekken.json",
]
"""What a template and a tokenizer need of a repository: no weights and no code."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "tokenizer_config.json")


def template_of_file(path: Path) -> Template:
    """Return the template in a file of Jinja source, or in a `tokenizer_config.json`.

    Raises:
        CorpusError: the file cannot be read, or is JSON without a template.
    """
    if path.suffix == ".json":
        return _only(_templates_of_config(path), path, name=path.parent.name)
    return Template(path.stem, _read(path), str(path))


def folder_templates(folder: Path) -> dict[str, str]:
    """Return the templates of a folder by name; the one that is used when none is named is ``default``.

    As in transformers, `chat_template.jinja` wins over `chat_template.json`,
    and that over the `chat_template` of `tokenizer_config.json`, which is one
    template or a list of named ones; `additional_chat_templates/` adds named
    ones.
    """
    templates: dict[str, str] = {}
    for file in ("tokenizer_config.json", "chat_template.json"):
        if (folder / file).is_file():
            templates |= _templates_of_config(folder / file)
    if (folder / "chat_template.jinja").is_file():
        templates["default"] = _read(folder / "chat_template.jinja")
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        templates[path.stem] = _read(path)
    return templates


def template_of_folder(folder: Path, *, named: str = "", origin: str | None = None) -> Template:
    """Return one template of a folder, with the special tokens that its `tokenizer_config.json` names.

    Raises:
        CorpusError: there is none, or none of that name.
    """
    templates = folder_templates(folder)
    variables = _variables(folder)
    found = _only(templates, folder, name=origin or folder.resolve().name, named=named)
    eos = variables.get("eos_token")
    return Template(
        name=found.name,
        source=found.source,
        origin=origin or str(folder),
        bos=variables.get("bos_token"),
        eos=eos,
        pad=variables.get("pad_token"),
    )


def _only(templates: Mapping[str, str], place: Path, *, name: str, named: str = "") -> Template:
    if not templates:
        raise CorpusError(
            f"{place} holds no chat template: there is no chat_template.jinja and no chat_template in "
            "tokenizer_config.json; name a template of its own"
        )
    wanted = named or "default"
    if wanted not in templates and not named and len(templates) == 1:
        wanted = next(iter(templates))
    if wanted not in templates:
        raise CorpusError(
            f"{place} has no template {wanted!r}{suggestion(wanted, templates)}; it has {', '.join(templates)}: "
            f"write the one you mean after a '#'"
        )
    return Template(f"{name}#{named}" if named else name, templates[wanted], str(place))


def _templates_of_config(path: Path) -> dict[str, str]:
    value = _json(path).get("chat_template")
    if value is None:
        return {}
    if isinstance(value, str):
        return {"default": value}
    try:
        return {each["name"]: _text(each["template"]) for each in value}
    except (KeyError, TypeError) as error:
        raise CorpusError(
            f"{path}: chat_template must be a string, or a list of tables with name and template, got {value!r:.80}"
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _variables(folder: Path) -> dict[str, str]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    found = {}
    for key in ("bos_token", "eos_token", "pad_token"):
        value = _json(path).get(key)
        content = value.get("content") if isinstance(value, dict) else value
        if isinstance(content, str):
            found[key] = content
    return found


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 text: {error}") from error
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_read(path))
    except ValueError as error:
        raise CorpusError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise CorpusError(f"{path} must hold a JSON object, got {type(document).__name__}")
    return document


@cache
def load_folder_tokenizer(folder: Path, *, name: str, slow: bool = False) -> Tokenizer:
    """Return the tokenizer of a folder, or of one `tokenizer.json`, once per process.

    Raises:
        CorpusError: there is none, it is damaged, or it needs code of its own.
        MissingPackageError: transformers, or a library it needs, is not installed.
    """
    from maskspec.tokenizers import wrap

    purpose = f"the tokenizer {name}"
    transformers = need("transformers", purpose=purpose)
    if folder.is_dir() and not any((folder / file).exists() for file in _TOKENIZER_FILES):
        raise CorpusError(f"{folder} holds no tokenizer: none of {', '.join(_TOKENIZER_FILES)} is there")
    try:
        if folder.is_dir():
            raw = transformers.AutoTokenizer.from_pretrained(
                str(folder), trust_remote_code=False, use_fast=not slow, local_files_only=True
            )
        else:
            raw = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder))
    except ImportError as error:
        raise MissingPackageError(f"{purpose} needs a library that is not installed: {_first_line(error)}") from error
    except Exception as error:  # tokenizers raises bare Exception for a damaged file
        raise CorpusError(
            f"{folder}: transformers cannot load the tokenizer ({type(error).__name__}: {_first_line(error)})"
        ) from error
    return wrap(raw, name=name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


@cache
def fetch(repository: str) -> Path:
    """Return a local folder with the templates and tokenizer files of a hub repository.

    Only those files are fetched. Where the hub cannot be reached, what an
    earlier run left in the local cache is used.

    Raises:
        CorpusError: the repository is neither reachable nor cached.
        MissingPackageError: huggingface_hub is not installed.
    """
    hub = need("huggingface_hub", purpose=f"the hub repository {repository}")
    try:
        return Path(hub.snapshot_download(repository, allow_patterns=_FILES))
    except Exception as error:  # what is raised depends on the HTTP library behind the hub's client
        raise CorpusError(
            f"{repository} is no name that maskspec knows and no local folder, and it could not be fetched from the "
            f"hub ({type(error).__name__}: {_first_line(error)}); fetch the repository's tokenizer files on a machine "
            "that can, and give the folder instead"
        ) from error
