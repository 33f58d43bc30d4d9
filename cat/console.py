"""What the command lines share: one line for an error, a bar for the steps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cat.records import StepRecord

__all__ = ["quiet_libraries", "report_errors", "step_bar"]

INTERRUPTED = 130


def report_errors(command: Callable[[], int]) -> int:
    """Run a command; what a user can mend is told in words, not as a traceback."""
    try:
        return command()
    except KeyboardInterrupt as interrupt:
        print(f"\n{str(interrupt) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def quiet_libraries() -> None:
    """No progress bars for loading a model of 300 KB, no hints meant for library authors."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


@contextmanager
def step_bar(title: str = "training") -> Iterator[Callable[[StepRecord], None]]:
    """A progress bar that is fed step records."""
    from tqdm.auto import tqdm

    with tqdm(desc=title, unit="step", mininterval=0.5) as bar:

        def show(record: StepRecord) -> None:
            bar.total = record.total_steps
            shown = {"loss": f"{record.lm_loss:.3f}"}
            if record.ratio_mean is not None:
                shown["C/N"] = f"{record.ratio_mean:.2f}"
            bar.set_postfix(shown, refresh=False)
            bar.update(record.step - bar.n)

        yield show
