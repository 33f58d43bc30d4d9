"""Runs that were killed, interrupted or had no disk left end as the unbroken one, bit for bit."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cat
import cat.train
from cat.records import StepRecord
from cat.signals import write_records
from cat.stg import stg_e
from cat.tiny import one_thread
from cat.trainer import CATTrainer, last_checkpoint

ROOT = Path(cat.__file__).parents[1]
pytestmark = pytest.mark.usefixtures("one_torch_thread")
# 13 steps an epoch, a checkpoint every 5: those at 5 and 10 lie in the first, 15 in the second.
RUN = (
    *("--model", "tiny", "--alpha", "10", "--num_train_epochs", "2", "--device", "cpu"),
    *("--save_strategy", "steps", "--save_steps", "5", "--save_total_limit", "9"),
)
STEPS = 26
VARIANTS = {
    "full": (),
    # 200 = 13 * 15 + 5: the last step of each epoch has fewer micro-batches.
    "accumulated": ("--per_device_train_batch_size", "5", "--gradient_accumulation_steps", "3"),
    "lora": ("--lora",),  # with dropout: the random numbers must go on where they were
}
WEIGHTS = ("model.safetensors", "adapter_model.safetensors")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, splits = tmp_path_factory.mktemp("data"), stg_e()
    write_records(folder / "train.jsonl", splits["train_S"][:200])
    write_records(folder / "test.jsonl", splits["test_ood"][:40])
    return folder


def command(data: Path, output: Path, *more: str) -> list[str]:
    return [*RUN, "--data", str(data), "--output_dir", str(output), *more]


def train(data: Path, output: Path, *more: str) -> int:
    return cat.train.main(command(data, output, *more))


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def unbroken(variant: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("unbroken")
    with one_thread():
        assert train(data, folder, *VARIANTS[variant]) == 0
    return folder


# What a run does that dies while its 18th step is being looked at; no handler sees a SIGKILL.
SUICIDE = """
import os, signal, cat.train

def die(record):
    if record.step == 18:
        os.kill(os.getpid(), signal.SIGKILL)

cat.train.run(*cat.train.parse(ARGV), on_record=die)
"""


@pytest.fixture(scope="module")
def killed(variant: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in the middle of an epoch, after three checkpoints."""
    folder, script = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("script") / "run.py"
    script.write_text(SUICIDE)
    argv = command(data, folder, *VARIANTS[variant])
    # A process of its own, forked from one that has imported torch already.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cat.train"])
    process = context.Process(target=runpy.run_path, args=(str(script), {"ARGV": argv}))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL
    assert last_checkpoint(folder) == folder / "checkpoint-15"
    assert last_step(folder) == 17
    assert not (folder / "result.json").exists()
    return folder


def last_step(folder: Path) -> int:
    """As far as the log goes."""
    log = folder / "steps.jsonl"
    return log.read_text().count("\n") if log.is_file() else 0


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def assert_same_run(folder: Path, unbroken: Path) -> None:
    """Weights bit for bit, every step once, the same scores."""
    (weights,) = [name for name in WEIGHTS if (unbroken / name).is_file()]
    assert (folder / weights).read_bytes() == (unbroken / weights).read_bytes()
    steps = (folder / "steps.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in steps] == list(range(1, len(steps) + 1))
    assert steps == (unbroken / "steps.jsonl").read_text().splitlines()
    ours, theirs = (json.loads((f / "result.json").read_text()) for f in (folder, unbroken))
    assert ours["scores"] == theirs["scores"]
    assert ours["data"] == theirs["data"]


@pytest.fixture
def check_resumes(
    variant: str, data: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path, str], None]:
    """Resumes the run in a folder, which must say where from, and end as the unbroken one did."""

    def check(folder: Path, said: str) -> None:
        assert train(data, folder, *VARIANTS[variant], "--resume") == 0
        assert said in capsys.readouterr().out
        assert_same_run(folder, unbroken)

    return check


# --- killed ---------------------------------------------------------------------------------------


def test_a_killed_run_goes_on(
    killed: Path, tmp_path: Path, check_resumes: Callable[[Path, str], None]
) -> None:
    folder = copy_of(killed, tmp_path)
    check_resumes(folder, f"resuming from {folder / 'checkpoint-15'}")


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def state_not_written(checkpoint: Path) -> None:
    (checkpoint / "trainer_state.json").unlink()


def state_half_written(checkpoint: Path) -> None:
    cut(checkpoint / "trainer_state.json")


def weights_half_written(checkpoint: Path) -> None:
    """The files come in the order weights, optimizer, random numbers, state."""
    for name in ("trainer_state.json", "rng_state.pth", "scheduler.pt", "optimizer.pt"):
        (checkpoint / name).unlink()
    cut(next(checkpoint / name for name in WEIGHTS if (checkpoint / name).is_file()))


@pytest.mark.parametrize("damage", [state_not_written, state_half_written, weights_half_written])
def test_killed_while_a_checkpoint_was_written(
    killed: Path,
    unbroken: Path,
    tmp_path: Path,
    check_resumes: Callable[[Path, str], None],
    damage: Callable[[Path], None],
) -> None:
    folder = copy_of(killed, tmp_path)
    damage(folder / "checkpoint-15")
    with (folder / "steps.jsonl").open("a") as log:
        log.write('{"step": 18, "epo')  # and while a line was
    check_resumes(folder, f"resuming from {folder / 'checkpoint-10'}")
    for checkpoint in unbroken.glob("checkpoint-*"):
        assert (folder / checkpoint.name / "trainer_state.json").is_file()


def test_killed_before_the_first_checkpoint(
    killed: Path, tmp_path: Path, check_resumes: Callable[[Path, str], None]
) -> None:
    folder = copy_of(killed, tmp_path)
    for checkpoint in folder.glob("checkpoint-*"):
        state_not_written(checkpoint)
    check_resumes(folder, "no complete checkpoint: from scratch")


def test_a_finished_run_has_nothing_to_go_on_with(
    variant: str, data: Path, unbroken: Path, tmp_path: Path
) -> None:
    folder = copy_of(unbroken, tmp_path)
    assert train(data, folder, *VARIANTS[variant], "--resume") == 0
    assert_same_run(folder, unbroken)


def test_a_run_is_not_mixed_with_another(
    data: Path, killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begun anew in the same folder and killed early, --resume would go on with the old one."""
    folder = copy_of(killed, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert train(data, folder) == 2
    assert "go on with it by --resume, or choose another --output_dir" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")}.items() >= before.items()


# --- interrupted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["full"], indirect=True)
def test_ctrl_c(variant: str, data: Path, unbroken: Path, tmp_path: Path) -> None:
    """The real command line: status 130, where the checkpoint is, and nothing is lost."""
    slowly = ("--eval_strategy", "steps", "--eval_steps", "1", "--eval_delay", "6")
    process = subprocess.Popen(
        [sys.executable, "-m", "cat.cli", "train", *command(data, tmp_path, *slowly)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        deadline = time.monotonic() + 120
        while last_step(tmp_path) < 7:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    newest = last_checkpoint(tmp_path)
    assert newest is not None
    step = last_step(tmp_path)
    assert newest == tmp_path / f"checkpoint-{step}"
    assert f"stopped after step {step} of {STEPS}; checkpoint: {newest}" in told
    assert "Traceback" not in told
    assert not (tmp_path / "result.json").exists()

    assert train(data, tmp_path, "--resume") == 0
    assert_same_run(tmp_path, unbroken)


def test_ctrl_c_while_a_record_is_looked_at(data: Path, tmp_path: Path) -> None:
    """Training waits then, outside of the generator: what is told must be true all the same."""

    def interrupt(record: StepRecord) -> None:
        if record.step == 3:
            raise KeyboardInterrupt

    config, settings = cat.train.parse(command(data, tmp_path))
    with pytest.raises(KeyboardInterrupt) as caught:
        cat.train.run(config, settings, on_record=interrupt)
    checkpoint = tmp_path / "checkpoint-3"
    assert last_checkpoint(tmp_path) == checkpoint
    assert last_step(tmp_path) == 3
    assert f"after step 3 of {STEPS}; checkpoint: {checkpoint}" in str(caught.value)


def test_train_in_the_main_thread_hears_ctrl_c(data: Path, tmp_path: Path) -> None:
    """Without a generator: the first stops after the step, with a checkpoint."""
    from transformers import TrainerCallback

    from cat.data import load_data
    from cat.models import load_model

    class Interrupt(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 4:
                os.kill(os.getpid(), signal.SIGINT)

    _, settings = cat.train.parse(command(data, tmp_path))
    model, tokenizer = load_model("tiny")
    examples = load_data(str(data))["train"]
    trainer = CATTrainer(model, settings, examples, tokenizer=tokenizer, callbacks=[Interrupt()])
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"after step 5 of 26; checkpoint: .*checkpoint-5"):
        trainer.train()
    assert signal.getsignal(signal.SIGINT) is handler
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


# --- no disk left ---------------------------------------------------------------------------------


def disk_full_at(step: int) -> Callable[[CATTrainer, str], None]:
    real = CATTrainer._save_optimizer_and_scheduler

    def save(self: CATTrainer, output_dir: str) -> None:
        if self.state.global_step >= step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, output_dir)

    return save


@pytest.mark.parametrize("variant", ["full"], indirect=True)
def test_a_disk_that_is_full(
    variant: str,
    data: Path,
    unbroken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(CATTrainer, "_save_optimizer_and_scheduler", disk_full_at(15))
        assert train(data, tmp_path, *VARIANTS[variant]) == 2
    told = capsys.readouterr().err
    checkpoint = tmp_path / "checkpoint-10"
    assert "training broke off: [Errno 28] No space left on device" in told
    assert f"stopped after step 15 of {STEPS}; checkpoint: {checkpoint}" in told
    assert "MB are free" in told
    assert last_checkpoint(tmp_path) == checkpoint

    assert train(data, tmp_path, *VARIANTS[variant], "--resume") == 0  # somebody made room
    assert_same_run(tmp_path, unbroken)


@pytest.mark.parametrize(
    ("limit", "told"),
    [(100_000, "I/O error: File too large"), (400_000, "unexpected pos")],
    ids=["weights", "optimizer"],
)
def test_a_file_that_may_not_grow(data: Path, tmp_path: Path, limit: int, told: str) -> None:
    """A real refusal by the system, which safetensors and torch tell in their own ways."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    config, settings = cat.train.parse(command(data, tmp_path))

    def limit_after_first_checkpoint(record: Any) -> None:
        if record.step == 8:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

    try:
        with pytest.raises(RuntimeError, match=rf"broke off: .*{told}(.|\n)*step 10 of 26"):
            cat.train.run(config, settings, on_record=limit_after_first_checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_the_model_cannot_be_saved_at_the_end(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = CATTrainer.save_model

    def save(self: CATTrainer, output_dir: str | None = None, _internal_call: bool = False) -> None:
        if not _internal_call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, output_dir, _internal_call)

    monkeypatch.setattr(CATTrainer, "save_model", save)
    assert train(data, tmp_path) == 2
    assert f"checkpoint: {tmp_path / 'checkpoint-26'}" in capsys.readouterr().err
    assert not (tmp_path / "result.json").exists()
