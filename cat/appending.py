"""Appending lines to a file that other processes may hold: whole or not at all, under a lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["append_to", "append_whole", "lock", "read_under_lock"]


def lock(file: BinaryIO, *, shared: bool = False, wait: bool = True) -> None:
    """Take a lock on an open file, which ends when it is closed. (Windows has no such locks.)

    Raises:
        BlockingIOError: with ``wait=False``, another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)


def append_to(path: Path, text: str) -> None:
    """Append whole lines to a file, made with its folder if need be; they are on the disk when this
    returns.

    Raises:
        OSError: they could not be written whole; what was there before is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        lock(file)
        append_whole(file, text.encode())


def read_under_lock(path: Path) -> bytes:
    """What a file holds, with no half of a line that is being written."""
    with path.open("rb") as file:
        lock(file, shared=True)
        return file.read()


def append_whole(file: BinaryIO, data: bytes, *, sync: bool = True) -> None:
    """Append the data, all of it or nothing, on a line of its own.

    Args:
        file: opened unbuffered, to read and to append ("a+b").
        data: ends with a newline.
        sync: return only when it is on the disk, not merely with the operating system.
    """
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":  # a write that was killed half-way
            data = b"\n" + data
    try:
        written = 0
        while written < len(data):
            written += file.write(data[written:])
        if sync:
            os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise
