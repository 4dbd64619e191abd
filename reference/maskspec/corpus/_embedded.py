"""Own templates and own small tokenizers, which need no network and no package with somebody else's data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from maskspec.corpus._manifest import OwnTokenizer, manifest
from maskspec.corpus._own import build_fast, build_slow, libraries, slow_unavailable
from maskspec.corpus.records import Kind, Markers, Pair, StopWriter, Template
from maskspec.corpus.validation import FLAGS, STRINGS, TEXTS, check_table, read_toml, suggestion
from maskspec.data import data_path
from maskspec.errors import CorpusError
from maskspec.tokens import Tokenizer

__all__ = [
    "embedded_pair",
    "embedded_pairs",
    "embedded_template",
    "embedded_templates",
    "embedded_tokenizers",
    "load_embedded_tokenizer",
]

_TEMPLATE_SHAPE = {
    "name": str,
    "title?": str,
    "description?": str,
    "families?": STRINGS,
    "facts?": STRINGS,
    "generation_prompt": str,
    "stops": STRINGS,
    "stop_writer": str,
    "tokens": {"bos?": str, "eos?": str, "pad?": str},
    "markers": {"special": STRINGS, "added": STRINGS, "text": STRINGS},
    "capabilities": FLAGS,
    "kwargs": TEXTS,
}


@cache
def embedded_templates(*, generation_tags: bool | None = None) -> tuple[Template, ...]:
    """Return the own templates, in the order of `corpora/templates/templates.toml`.

    Each comes plain (`chatml`) and with `{% generation %}` tags
    (`chatml.generation`); `generation_tags` chooses one kind.

    Raises:
        CorpusError: the index holds an unknown or missing key, or a file that
            it names is not there.
    """
    if generation_tags is not None:
        return tuple(found for found in embedded_templates() if found.has_generation_tags is generation_tags)
    return _read_templates(data_path("corpora", "templates"))


def _read_templates(folder: Path) -> tuple[Template, ...]:
    where = "templates.toml"
    index = read_toml(folder / where)
    check_table({key: value for key, value in index.items() if key != "template"}, {"schema": int}, where=where)
    if index["schema"] != 1:
        raise CorpusError(f"{where}: schema {index['schema']} is not known to this version; known is 1")
    entries = index.get("template")
    if not isinstance(entries, list) or not entries:
        raise CorpusError(f"{where}: at least one [[template]] table is needed")
    templates = []
    for position, entry in enumerate(entries):
        name = entry.get("name", f"number {position}")
        check_table(entry, _TEMPLATE_SHAPE, where=f"{where}, template {name!r}")
        templates += [_read_template(folder, entry, suffix) for suffix in ("", ".generation")]
    repeated = {template.name for template in templates if [other.name for other in templates].count(template.name) > 1}
    if repeated:
        raise CorpusError(f"{where}: the name {min(repeated)!r} is used twice")
    return tuple(templates)


def _read_template(folder: Path, entry: dict[str, Any], suffix: str) -> Template:
    name = entry["name"] + suffix
    path = folder / f"{name}.jinja"
    try:
        writer = StopWriter(entry["stop_writer"])
    except ValueError:
        known = [member.value for member in StopWriter]
        raise CorpusError(
            f"templates.toml, template {name!r}: stop_writer must be one of {known}, got {entry['stop_writer']!r}"
        ) from None
    try:
        source = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"templates.toml names the template {name!r}, but {path} cannot be read: {error}") from error
    tokens, markers = entry["tokens"], entry["markers"]
    return Template(
        name=name,
        source=source,
        origin="embedded",
        bos=tokens.get("bos"),
        eos=tokens.get("eos"),
        pad=tokens.get("pad"),
        stops=tuple(entry["stops"]),
        stop_writer=writer,
        special=tuple(markers["special"]),
        added=tuple(markers["added"]),
        text=tuple(markers["text"]),
        generation_prompt=entry["generation_prompt"],
        capabilities=dict(entry["capabilities"]),
        kwargs=dict(entry["kwargs"]),
    )


def embedded_template(name: str) -> Template:
    """Return one own template by name; `CorpusError` names the nearest known ones."""
    known = {template.name: template for template in embedded_templates()}
    if name not in known:
        raise CorpusError(
            f"unknown template {name!r}{suggestion(name, known)}; `maskspec corpus list` lists all that are known"
        )
    return known[name]


def embedded_tokenizers() -> tuple[OwnTokenizer, ...]:
    """Return what the manifest says about the own tokenizers, without loading one."""
    return manifest().tokenizers


def load_embedded_tokenizer(
    name: str,
    *,
    template: Template | str | None = None,
    markers: Sequence[str] | Markers = Markers.TOKENS,
    special: Sequence[str] | None = None,
    bos: str | None = None,
    eos: str | None = None,
    pad: str | None = None,
    stops: Sequence[str] = (),
    slow: bool = False,
) -> Tokenizer:
    """Return an own tokenizer, with a template's markers added as tokens, or as it is on disk.

    Without a template and with no markers the vocabulary and its own bos, eos
    and pad are left as they are. With `template` (a record or an own
    template's name), markers, special tokens and stops come from there;
    `Markers.PLAIN` (or ``"plain"``) leaves the markers ordinary text and keeps
    the vocabulary's own bos, eos and pad. `markers` may also be a list of
    strings to add, `special` those of them that decoding may skip (all, where
    None), and `bos`, `eos`, `pad` the template variables, added as tokens where
    the vocabulary lacks them. `slow` asks for the slow implementation.

    The same arguments give the same object for the life of the process.

    Raises:
        CorpusError: the name is unknown, or there is no slow implementation
            in the installed version of transformers.
        MissingPackageError: transformers, or a library it needs, is not installed.
    """
    if isinstance(template, str):
        template = embedded_template(template)
    if isinstance(markers, str):
        markers = _marker_mode(markers)
    if not isinstance(markers, Markers):
        chosen = tuple(markers)
        return _load(name, chosen, chosen if special is None else tuple(special), bos, eos, pad, tuple(stops), slow, "")
    if template is None:
        return _load(name, (), (), bos, eos, pad, tuple(stops), slow, "")
    if markers is Markers.PLAIN:
        return _load(name, None, (), None, None, None, tuple(stops) or template.stops, slow, template.name)
    return _load(
        name,
        template.markers,
        template.special,
        bos or template.bos,
        eos or template.eos,
        pad or template.pad,
        tuple(stops) or template.stops,
        slow,
        template.name,
    )


def _marker_mode(value: str) -> Markers:
    try:
        return Markers(value)
    except ValueError:
        known = [member.value for member in Markers]
        raise CorpusError(f"markers must be one of {known} or a list of strings, got {value!r}") from None


def _own_tokenizer(name: str) -> OwnTokenizer:
    known = {entry.name: entry for entry in embedded_tokenizers()}
    if name not in known:
        raise CorpusError(f"unknown tokenizer {name!r}{suggestion(name, known)}; known are {', '.join(known)}")
    return known[name]


@cache
def _load(
    name: str,
    markers: tuple[str, ...] | None,
    special: tuple[str, ...],
    bos: str | None,
    eos: str | None,
    pad: str | None,
    stops: tuple[str, ...],
    slow: bool,
    template: str,
) -> Tokenizer:
    entry = _own_tokenizer(name)
    folder = data_path("corpora", "tokenizers", name)
    build = build_slow if slow else build_fast
    label = _pair_name(template, name, Markers.PLAIN if markers is None else Markers.TOKENS, slow)
    if markers is None or (not markers and bos is None and eos is None and pad is None):
        variables = dict(entry.variables)
    else:
        given = {
            "bos_token": bos,
            "eos_token": eos,
            "pad_token": pad,
            "unk_token": entry.variables.get("unk_token"),
        }
        variables = {key: value for key, value in given.items() if value is not None}
    return build(
        entry,
        folder,
        name=label,
        markers=markers or (),
        special=special,
        variables=variables,
        stops=_with_own_end(stops, variables) if markers is None else stops,
    )


def _with_own_end(stops: tuple[str, ...], variables: Mapping[str, str]) -> tuple[str, ...]:
    # A template that prints eos_token ends its turns with the vocabulary's own eos when the markers are plain.
    end = variables.get("eos_token")
    return tuple(dict.fromkeys((*stops, end))) if end is not None else stops


def embedded_pairs(
    *,
    slow: bool | None = False,
    markers: Markers | str | None = Markers.TOKENS,
    generation_tags: bool | None = None,
) -> Iterator[Pair]:
    """Yield every own template joined with every own tokenizer; no tokenizer is loaded before it is asked for.

    `slow` chooses fast (False), slow (True) or both (None); slow ones that the
    installed transformers does not have are left out. `markers` chooses
    markers that are tokens, plain text, or both (None).

    Names are `chatml+bytelevel-gpt2`, then `:slow` and `:plain` where they apply.
    """
    if isinstance(markers, str):
        markers = _marker_mode(markers)
    for template in embedded_templates(generation_tags=generation_tags):
        for entry in embedded_tokenizers():
            for mode in Markers if markers is None else (markers,):
                for is_slow in (False, True) if slow is None else (slow,):
                    added = template.markers if mode is Markers.TOKENS else ()
                    if not (is_slow and slow_unavailable(entry, added)):
                        yield _pair(template, entry.name, mode, is_slow)


def embedded_pair(name: str) -> Pair:
    """Return one embedded pair by name, `template+tokenizer[:slow][:plain]`.

    Raises:
        CorpusError: a part of the name is unknown.
    """
    stem, *modes = name.split(":")
    template, plus, tokenizer = stem.partition("+")
    unknown = [mode for mode in modes if mode not in ("slow", "plain")]
    if not plus or unknown:
        raise CorpusError(f"{name!r} is not the name of an embedded pair; they read template+tokenizer[:slow][:plain]")
    mode = Markers.PLAIN if "plain" in modes else Markers.TOKENS
    return _pair(embedded_template(template), _own_tokenizer(tokenizer).name, mode, "slow" in modes)


def _pair_name(template: str, tokenizer: str, markers: Markers, slow: bool) -> str:
    stem = f"{template}+{tokenizer}" if template else tokenizer
    return stem + (":slow" if slow else "") + (":plain" if markers is Markers.PLAIN else "")


def _pair(template: Template, tokenizer: str, markers: Markers, slow: bool) -> Pair:
    def load() -> Tokenizer:
        return load_embedded_tokenizer(tokenizer, template=template, markers=markers, slow=slow)

    return Pair(
        name=_pair_name(template.name, tokenizer, markers, slow),
        template=template,
        kind=Kind.EMBEDDED,
        load=load,
        markers=markers,
        slow=slow,
        libraries=libraries(_own_tokenizer(tokenizer), slow=slow),
        licence="Apache-2.0, written and trained for maskspec",
    )
