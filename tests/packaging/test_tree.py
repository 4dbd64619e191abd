"""Nothing in the tree points at one machine, and the text files are what they say they are."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

# Spelled in pieces, so that this file holds nothing of what it looks for.
FOLDERS = ("root", "work", "opt")
HOMES = ("home", "Users")
HOSTS = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian", "org"))
PRIVATE = re.compile(
    rf"(?<![\w.~-])/(?:{'|'.join(FOLDERS)})/\w"
    rf"|(?<![\w.~-])/(?:{'|'.join(HOMES)})/(?!user\b)\w+"
    rf"|\b(?:{'|'.join(re.escape('.'.join(host)) for host in HOSTS)})\b"
)
TEXT = {".cfg", ".ini", ".jinja", ".json", ".jsonl", ".md", ".py", ".svg", ".toml", ".txt", ".yaml", ".yml", ""}
SKIPPED = {".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".venv", "__pycache__"}


def tree(repository: Path) -> list[Path]:
    """Return the files of the project: what git would commit, or every file of an unpacked sdist."""
    if (repository / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
        return [path for name in listed.split("\0") if name and (path := repository / name).is_file()]
    return [
        path
        for path in repository.rglob("*")
        if path.is_file() and not SKIPPED & set(path.relative_to(repository).parts)
    ]


def test_no_path_of_a_machine_and_no_registry_host(repository: Path) -> None:
    files = [path for path in tree(repository) if path.suffix in TEXT]
    assert len(files) > 50, "the tree was not found"
    found = [
        f"{path.relative_to(repository)}:{number}: {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert found == []


def test_the_pattern_finds_what_it_is_for() -> None:
    lines = [f"open('/{folder}/data.json')" for folder in FOLDERS]
    lines += [f"see /{home}/jane" for home in HOMES]
    lines += [f"https://{'.'.join(host)}/simple" for host in HOSTS]
    assert [line for line in lines if not PRIVATE.search(line)] == []


@pytest.mark.parametrize(
    "line", [*(f"a/{folder}/b" for folder in FOLDERS), "either/or", "https://www.apache.org/licenses/"]
)
def test_the_pattern_leaves_other_text_alone(line: str) -> None:
    assert not PRIVATE.search(line)


def test_the_tree_is_small_enough_to_clone_and_to_install(repository: Path) -> None:
    large = [
        f"{path.relative_to(repository)}: {path.stat().st_size}"
        for path in tree(repository)
        if path.stat().st_size > 1_000_000
    ]
    assert large == []


def test_changelog_and_package_name_the_same_version(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == project["version"]


def test_no_extra_but_train_and_all_brings_torch(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bringing = re.compile(r"(?:torch|accelerate|trl|maskspec\[.*train.*\])(?![\w-])")
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    assert {name for name, requirements in lists.items() if any(map(bringing.match, requirements))} == {"train", "all"}
    assert "torch==2.13.0" in lists["train"]
