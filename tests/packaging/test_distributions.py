"""Wheel, sdist and editable install: each holds the data and works from another directory.

The chain is the one a release goes through: the sdist is built from the tree,
unpacked, and the wheel and the editable install come from what was unpacked,
so a file missing from the sdist is missed here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

CACHES = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}

PROBE = """
import json, pathlib, sys
from importlib.metadata import version
import maskspec
from maskspec.data import data_path
print(json.dumps({
    "package": str(pathlib.Path(maskspec.__file__).resolve().parent),
    "version": version("maskspec"),
    "rules": str(data_path("spec", "rules.toml")),
    "manifest": str(data_path("corpora", "manifest.toml")),
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return its output; a failure shows both of its streams."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    """Build one distribution and return its path."""
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out, source, cwd=out)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="session")
def sdist(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", repository, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="session")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


def files_below(root: Path) -> set[str]:
    """Return the relative paths of all files, caches left out."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not CACHES & set(path.relative_to(root).parts)
    }


def fresh_environment(folder: Path) -> Path:
    """Make a virtual environment and return its interpreter."""
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def test_the_sdist_holds_everything_that_builds_and_tests(unpacked: Path, repository: Path) -> None:
    inside = files_below(unpacked)
    expected = {"PKG-INFO", "pyproject.toml", "tox.ini", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
    for folder in ("reference", "spec", "corpora", "tests"):
        below = {f"{folder}/{name}" for name in files_below(repository / folder)}
        assert below, f"{folder} is empty"
        expected |= below
    assert expected - inside == set()
    assert not [name for name in inside if name.startswith((".tox", ".git/", "dist/"))]


def test_the_wheel_holds_the_package_the_data_and_nothing_else(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if not name.endswith("/")}
    package = {f"maskspec/{name}" for name in files_below(repository / "reference" / "maskspec")}
    data = {f"maskspec/_data/{area}/{name}" for area in ("spec", "corpora") for name in files_below(repository / area)}
    metadata = {name for name in inside if name.startswith("maskspec-") and ".dist-info/" in name}
    assert "maskspec/py.typed" in inside
    assert inside - metadata == package | data
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_each_installation_finds_its_data(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, unpacked: Path
) -> None:
    python = fresh_environment(tmp_path / "environment")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    what = ["--editable", unpacked] if kind == "editable" else [request.getfixturevalue(kind)]
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what, cwd=elsewhere)

    facts = json.loads(run(python, "-c", PROBE, cwd=elsewhere))
    home = unpacked if kind == "editable" else tmp_path / "environment"
    for name in ("package", "rules", "manifest"):
        assert Path(facts[name]).resolve().is_relative_to(home.resolve()), facts
    assert facts["version"] == "0.1.0"

    script = python.with_name("maskspec")
    assert "check" in run(script, "--help", cwd=elsewhere)
    assert "RENDER-1" in run(script, "rules", cwd=elsewhere)
    listed = run(script, "corpus", "list", cwd=elsewhere).splitlines()
    assert next(line.split(maxsplit=1)[1] for line in listed if line.startswith("chatml+tiktoken ")) == (
        "embedded, not loadable here"
    )
    assert 'python -m pip install "maskspec[suite]"' in run(script, "corpus", "list", "--missing", cwd=elsewhere)
