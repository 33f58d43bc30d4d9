"""Writing a file whole or not at all."""

import os
import uuid
from contextlib import suppress
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write the content beside ``path`` and rename it into place; missing folders are made.

    A reader never sees half a file, and an old file survives a failed write.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise OSError(
            error.errno,
            f"cannot write the file ({error.strerror}); choose a folder that you may write to",
            str(path),
        ) from error
    return path
