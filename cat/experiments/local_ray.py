"""Ray on this machine: started with as little as it needs, and nothing of it left behind."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["local_ray"]

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray reports its use over the network else
    "RAY_enable_metrics_collection": "0",
    "RAY_agent_register_timeout_ms": "120000",  # its 15 s are too few on a busy machine
}
# Each of Ray's processes imports jsonschema, and that imports this module where JupyterLab has
# brought it: three quarters of what starting a process takes, for a format that Ray never checks.
SLOW_AND_UNUSED = "rfc3987_syntax"
ATTEMPTS = 2


@contextmanager
def local_ray(*, cpus: int) -> Iterator[Any]:
    """Within: the module ray, started on this machine alone, with no dashboard.

    Args:
        cpus: to be shared by the tasks.

    Raises:
        RuntimeError: Ray is not installed, or did not start.
    """
    # A short folder, for the names of Ray's sockets have a limit.
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as scratch:
        without = Path(scratch, "without")
        without.mkdir()
        (without / f"{SLOW_AND_UNUSED}.py").write_text("raise ImportError\n", encoding="utf-8")
        with _environment(SETTINGS, python_path=str(without)):
            ray = _import_ray()
            try:
                _start(ray, cpus, scratch)
                yield ray
            finally:
                ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise RuntimeError(
            "several workers need Ray, which is not installed: pip install 'catviz[ray]', or "
            "leave --workers at 1"
        ) from error
    return ray


def _start(ray: Any, cpus: int, scratch: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                _temp_dir=scratch,
            )
            return
        except Exception as error:  # Ray raises a bare one when it waited 30 s in vain
            ray.shutdown()
            if attempt == ATTEMPTS:
                raise RuntimeError(
                    f"Ray did not start ({error}): try again when the machine is less busy, or "
                    "leave --workers at 1"
                ) from error


@contextmanager
def _environment(settings: dict[str, str], *, python_path: str) -> Iterator[None]:
    """Within: the environment has the settings, and imports look into a folder first."""
    before = dict(os.environ)
    paths = [python_path, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ.update({name: value for name, value in settings.items() if name not in before})
    sys.path.insert(0, python_path)
    try:
        yield
    finally:
        sys.path.remove(python_path)
        for name in ("PYTHONPATH", *settings):
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)
