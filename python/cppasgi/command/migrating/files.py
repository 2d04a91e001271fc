"""Reads the files that are to change, writes them in place, and keeps their old text.

Files are written in place, never replaced, so owner, mode, and symbolic and hard links stay. The
old text is kept beside the file itself, where a symbolic link leads, with the same owner and mode.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 2**20
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class TextFile:
    """A file and its text."""

    path: Path
    """The file itself, not a link to it."""
    text: str
    _bom: bytes
    _encoding: str

    def encoded(self, text: str) -> bytes:
        """Another text in the file's encoding."""
        return self._bom + text.encode(self._encoding, "surrogateescape")


def read(path: Path) -> TextFile:
    """Reads a file.

    Raises:
        OSError: it can't be read.
        ValueError: it isn't a text that comes out again as it was; the message says why.
    """
    real = path.resolve(strict=True)
    status = real.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is no regular file")
    if status.st_size > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES >> 20} MiB")
    data = real.read_bytes()
    bom, encoding = b"", "utf-8"
    if data[:2] in _UTF_16:
        bom, encoding = data[:2], _UTF_16[data[:2]]
    elif data.startswith(codecs.BOM_UTF8):
        bom = codecs.BOM_UTF8
    try:
        # What isn't UTF-8 comes back as the same bytes; only the word daphne matters here.
        text = data[len(bom) :].decode(
            encoding, "surrogateescape" if encoding == "utf-8" else "strict"
        )
    except UnicodeDecodeError:
        raise ValueError("is a binary file") from None
    if re.search(r"[\0-\x06]", text):
        raise ValueError("is a binary file")
    file = TextFile(real, text, bom, encoding)
    if file.encoded(text) != data:
        raise ValueError("has characters that can't be written back as they are")
    return file


def backup_of(path: Path) -> Path:
    """Where the old text of a file is kept."""
    real = path.resolve()
    return real.with_name(f"{real.name}.daphne")


def write(file: TextFile, text: str) -> Path:
    """Writes another text, and keeps the old one.

    Returns:
        Where the old one is.

    Raises:
        OSError: either can't be written, or an older text is kept already.
    """
    backup = backup_of(file.path)
    with file.path.open("r+b") as opened:
        try:
            copy = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise FileExistsError(None, f"the backup {backup} exists already") from None
        try:
            with os.fdopen(copy, "wb") as kept:
                kept.write(file.encoded(file.text))
            _copy_owner_and_mode(file.path, backup)
        except OSError:
            backup.unlink()
            raise
        opened.write(file.encoded(text))
        opened.truncate()
    return backup


def _copy_owner_and_mode(source: Path, target: Path) -> None:
    status = source.stat()
    # Only root may give a file away; undo() writes into the file, so that stays its owner's.
    with contextlib.suppress(PermissionError):
        os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)


def undo(path: Path) -> Path:
    """Brings the old text of a file back, and removes the backup.

    Raises:
        OSError: there is none, or the file can't be written.
    """
    backup = backup_of(path)
    data = backup.read_bytes()
    real = path.resolve(strict=True)
    with real.open("r+b") as opened:
        opened.write(data)
        opened.truncate()
    status = backup.stat()
    os.utime(real, ns=(status.st_atime_ns, status.st_mtime_ns))
    backup.unlink()
    return backup
