"""Running a coroutine to its end from a script or from a notebook, where a loop runs already.

It has a thread and an event loop of its own. The calling thread watches it, so that what is shown
is shown from there, and Ctrl-C arrives where it can be waited for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

__all__ = ["run_in_background"]

LOOK_SECONDS = 0.1


def run_in_background(
    main: Callable[[], Coroutine[Any, Any, None]],
    *,
    watch: Callable[[], None],
    stop: Callable[[], None],
) -> bool:
    """Run ``main()``; whether Ctrl-C was pressed.

    Args:
        watch: called every tenth of a second and at the end, in the calling thread.
        stop: called in the loop at the first Ctrl-C, it asks ``main`` to end soon; the second one
            cancels it.

    Raises:
        Exception: what ``main`` raised; what ``watch`` raised, which cancels ``main``.

    >>> run_in_background(lambda: asyncio.sleep(0), watch=lambda: None, stop=lambda: None)
    False
    """
    begun, ended = threading.Event(), threading.Event()
    handles: list[Any] = []  # the loop, and what cancels
    errors: list[BaseException] = []

    async def whole() -> None:
        task = asyncio.current_task()
        assert task is not None
        handles.extend((asyncio.get_running_loop(), task.cancel))
        begun.set()
        await main()

    def run() -> None:
        try:
            asyncio.run(whole())
        except BaseException as error:
            errors.append(error)
        finally:
            begun.set()
            ended.set()

    def tell(what: Callable[[], Any]) -> None:
        begun.wait()
        with suppress(RuntimeError, IndexError):  # it has ended meanwhile, or never begun
            handles[0].call_soon_threadsafe(what)

    thread = threading.Thread(target=run, name="annotation", daemon=True)
    interrupts = 0
    thread.start()
    while not ended.is_set():
        try:
            # Not thread.join: interrupted, it takes the thread for ended (Python 3.11).
            ended.wait(LOOK_SECONDS)
            watch()
        except KeyboardInterrupt:
            interrupts += 1
            tell(stop if interrupts == 1 else lambda: handles[1]())
        except BaseException:
            tell(lambda: handles[1]())
            ended.wait()
            raise
    if errors and not (interrupts and isinstance(errors[0], asyncio.CancelledError)):
        raise errors[0]
    watch()
    return interrupts > 0
