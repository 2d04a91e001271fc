"""Daphne itself, fetched from PyPI on first use: its tests to run on cppasgi, a server to compare.

Kept in build/daphne. Nothing of it is committed.
"""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAPHNE = "daphne==4.2.3"


@pytest.fixture(scope="session")
def daphne_folder() -> Path:
    """Where Daphne is kept; made once."""
    folder = ROOT / "build" / "daphne"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def daphne_tests(daphne_folder: Path) -> Path:
    """The folder ``tests`` of Daphne's source distribution."""
    tests = daphne_folder / "daphne-4.2.3" / "tests"
    if not tests.exists():
        download = ("download", "-q", "--no-deps", "--no-binary", "daphne", DAPHNE)
        run_pip(*download, "-d", daphne_folder)
        with tarfile.open(daphne_folder / "daphne-4.2.3.tar.gz") as archive:
            # Pythons that have filters warn without one.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(daphne_folder)
    return tests


@pytest.fixture(scope="session")
def daphne_site(daphne_folder: Path) -> Path:
    """A folder for PYTHONPATH that has Daphne and Twisted."""
    site = daphne_folder / f"site-{sys.version_info.major}.{sys.version_info.minor}"
    if not site.exists():
        unfinished = daphne_folder / f"{site.name}.new"
        run_pip("install", "-q", "--upgrade", "--target", unfinished, DAPHNE)
        unfinished.rename(site)
    return site


def run_pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
