"""Writing a file whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from catviz.files import write_atomically


def test_a_failed_write_keeps_the_old_file_and_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomically(tmp_path / "a.txt", "old")

    def fail(self: Path, target: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError, match=r"cannot write the file .*Permission denied.*a\.txt"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="cannot write the file"):
        write_atomically(path / "under a file" / "b.txt", "new")
