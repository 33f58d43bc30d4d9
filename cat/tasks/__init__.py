"""The downstream tasks: MAWPS, SVAMP, ASDiv, GSM8K and ARC-E, read, split and scored.

A task's texts come from a folder of the user's, :func:`load_task`, as the authors of the paper
publish them or in the common public forms (:mod:`cat.tasks.records`); :mod:`cat.scoring` tells
which answers are right, and :func:`task_references` what rules without a model score.
"""

from cat.tasks.loading import load_task, write_task
from cat.tasks.records import TaskText, read_record
from cat.tasks.rules import task_references
from cat.tasks.splits import TaskSplits, shared, split_texts
from cat.tasks.task import TASKS, Task, task_named

__all__ = [
    "TASKS",
    "Task",
    "TaskSplits",
    "TaskText",
    "load_task",
    "read_record",
    "shared",
    "split_texts",
    "task_named",
    "task_references",
    "write_task",
]
