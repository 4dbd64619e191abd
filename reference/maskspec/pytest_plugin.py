"""The pytest side of `@conformance`: options, tests, sharing between xdist's workers, a summary, and reports.

pytest imports this module in every project where maskspec is installed, so it imports
nothing that is not loaded anyway. All else is loaded by the first decorated function.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from maskspec.conformance.items import Asking
    from maskspec.conformance.sessions import Summary

__all__ = ["State"]

_PROFILES = ("quick", "default", "deep")


class State:
    """One process of a test run, as a plugin of its own: options, the folder of results, what reports say."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.worker = hasattr(config, "workerinput")
        self.properties: list[list[tuple[str, Any]]] = []
        self.summary: Summary | None = None
        self.folder = self._folder()
        self._asking: Asking | None = None

    @property
    def report(self) -> Path | None:
        """The folder of the option, relative to where pytest was started."""
        return self._path("maskspec_report")

    @property
    def written(self) -> Path | None:
        """The file that known failures are to be added to."""
        return self._path("maskspec_write_known_failures")

    @property
    def asking(self) -> Asking:
        """What the tests of this process share."""
        if self._asking is None:
            from maskspec.conformance.items import Asking

            self._asking = Asking(
                folder=self.folder,
                profile=self.config.getoption("maskspec_profile"),
                seed=self.config.getoption("maskspec_seed"),
                fallback_profile=_ini_profile(self.config),
                fallback_seed=_ini_seed(self.config),
                counterexamples=self.report,
            )
        return self._asking

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where results are shared."""
        node.workerinput["maskspec_folder"] = str(self.folder)

    def pytest_sessionstart(self) -> None:
        """Forget what an earlier run left in the folder of reports."""
        if not self.worker and self.folder.is_dir():
            for old in self.folder.glob("*.json"):
                old.unlink()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make the tests of a decorated function."""
        suite = getattr(metafunc.function, "__maskspec__", None)
        if suite is None:
            return
        from maskspec.conformance.sessions import parameters
        from maskspec.errors import MaskspecError

        grouped = self.config.pluginmanager.hasplugin("xdist")
        try:
            values = parameters(suite, metafunc.definition.nodeid, self.asking, grouped=grouped, written=self.written)
        except MaskspecError as error:
            raise pytest.Collector.CollectError(str(error)) from error
        metafunc.parametrize("check", values)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which rules are left after all selections, so that no other is asked."""
        if self._asking is not None:
            from maskspec.conformance.sessions import select

            select(self._asking, session.items)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Name the suite of a test in its properties, and let its check write the others."""
        if self._asking is not None:
            from maskspec.conformance.sessions import check_of

            check = check_of(item)
            if check is not None:
                item.user_properties.append(("maskspec_suite", check.key))
                self._asking.properties = item.user_properties

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what the tests noted, from all workers."""
        noted = [(name, value) for name, value in report.user_properties if name.startswith("maskspec_")]
        if noted and report.when == "call":
            self.properties.append(noted)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Put together what all processes found, write what was asked for, and refuse a run that checked nothing."""
        if self.worker or not self.properties:
            return
        from maskspec.conformance.sessions import summarise

        complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        self.summary = summarise(
            self.folder,
            self.properties,
            report=self.report,
            known=self.written if complete else None,
            reason=self.config.getoption("maskspec_reason"),
        )
        if self.summary.wrong and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the summary."""
        if self.summary is not None:
            terminalreporter.write_sep("=", "maskspec", red=self.summary.wrong)
            for line in self.summary.lines:
                terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Remove the results, unless they were asked for."""
        if not self.worker and self.report is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _folder(self) -> Path:
        """Where the results of all processes are kept: chosen by the main process, named to the workers."""
        if self.worker:
            return Path(self.config.workerinput["maskspec_folder"])  # type: ignore[attr-defined]  # xdist adds it
        if self.report is not None:
            return self.report / "results"
        return Path(tempfile.gettempdir()) / f"maskspec-{uuid.uuid4().hex}"

    def _path(self, option: str) -> Path | None:
        wanted = self.config.getoption(option)
        return self.config.invocation_params.dir / wanted if wanted else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all of them with the same prefix."""
    group = parser.getgroup("maskspec", "conformance of loss masks")
    group.addoption(
        "--maskspec-profile",
        choices=_PROFILES,
        default=None,
        help="generated conversations for each pair: quick (20), default (100), deep (2000)",
    )
    group.addoption("--maskspec-seed", type=int, default=None, help="of the generated conversations")
    group.addoption("--maskspec-report", metavar="DIR", default=None, help="write all reports and counterexamples here")
    group.addoption(
        "--maskspec-write-known-failures",
        metavar="FILE",
        default=None,
        help="add the failures of this run to a file of known failures; needs --maskspec-reason",
    )
    group.addoption("--maskspec-reason", metavar="TEXT", default="", help="why these failures are accepted")
    parser.addini("maskspec_profile", "the profile where neither command line nor decorator says one", default="quick")
    parser.addini("maskspec_seed", "the seed where neither command line nor decorator says one", default="0")


def pytest_configure(config: pytest.Config) -> None:
    """Check what was asked for before anything is collected."""
    config.addinivalue_line("markers", "maskspec: one rule of maskspec on one pair of template and tokenizer")
    _ini_profile(config)
    _ini_seed(config)
    if config.getoption("maskspec_write_known_failures") and not config.getoption("maskspec_reason").strip():
        raise pytest.UsageError("--maskspec-write-known-failures needs --maskspec-reason TEXT: why are they accepted?")
    config.pluginmanager.register(State(config), "maskspec-session")


def _ini_profile(config: pytest.Config) -> str:
    value = str(config.getini("maskspec_profile")).strip()
    if value not in _PROFILES:
        raise pytest.UsageError(f"maskspec_profile must be one of {', '.join(_PROFILES)}, not {value!r}")
    return value


def _ini_seed(config: pytest.Config) -> int:
    value = str(config.getini("maskspec_seed"))
    try:
        return int(value)
    except ValueError:
        raise pytest.UsageError(f"maskspec_seed must be a whole number, not {value!r}") from None
