"""`cat.train` and the command lines: settings, what a run leaves behind, how errors are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

import cat
from cat.cli import main as cat_tune
from cat.config import CATConfig
from cat.console import report_errors
from cat.data import digest, load_data
from cat.evaluate import Evaluation, evaluate_answers
from cat.models import load_model
from cat.provenance import provenance
from cat.signals import write_records
from cat.stg import stg_e
from cat.train import RunConfig, check_writable, main, parse, run, score_line

ROOT = Path(cat.__file__).parents[1]
pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 64 training texts and two test sets."""
    folder, splits = tmp_path_factory.mktemp("data"), stg_e()
    write_records(folder / "train.jsonl", splits["train_S"][:64])
    write_records(folder / "test_iid.jsonl", splits["test_iid"][:20])
    write_records(folder / "test_ood.jsonl", splits["test_ood"][:30])
    return folder


def flags(data: Path, output: Path, *more: str) -> list[str]:
    return ["--data", str(data), "--output_dir", str(output), "--max_steps", "6", *more]


def fails(
    capsys: pytest.CaptureFixture[str], argv: list[str], command: Callable[..., int] = main
) -> str:
    """The line that is told; nothing else, no traceback."""
    assert command(argv) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    lines: str = told[told.index("error: ") :]
    return lines.strip()


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], 2e-3),
        (["--model", "tiny-word", "--lora"], 2e-3),
        (["--model", "tiny@7"], 2e-3),
        (["--model", "tiny/plain"], 5e-5),
        (["--model", "smollm2"], 5e-5),
        (["--model", "smollm2", "--lora"], 1e-4),
        (["--model", "Qwen/Qwen2.5-1.5B", "--lora", "--learning_rate", "3e-4"], 3e-4),
        (["--model", "tiny", "--learning_rate", "1e-3"], 1e-3),
    ],
)
def test_the_learning_rate_follows_model_and_lora(argv: list[str], expected: float) -> None:
    assert parse(argv)[1].learning_rate == expected


def test_the_papers_settings_are_the_defaults() -> None:
    config, settings = parse([])
    assert config == RunConfig()
    assert settings.alpha is None
    assert (settings.gamma, settings.form, settings.reduction) == ("epoch", "hinge", "rows")
    assert (settings.num_train_epochs, settings.seed) == (6, 42)
    assert (settings.warmup_steps, settings.lr_scheduler_type) == (0.1, "cosine")
    assert settings.optim.startswith("adamw")
    assert settings.output_dir == "outputs/train"


def test_cpu_where_the_model_is_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(["--device", "cpu"])[1].use_cpu
    assert parse(["--device", "cpu"])[1].device.type == "cpu"


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: tiny-word\nalpha: 10\nlearning_rate: 7e-4\nlora: true\n"
        "num_train_epochs: 2\ngamma: 0.5\nform: div\n"
    )
    argv = ["--config", str(file), "--alpha", "0.3", "--num_train_epochs", "3"]
    for order in (argv, [*argv[2:], *argv[:2]]):
        config, settings = parse(order)
        assert (config.model, config.lora) == ("tiny-word", True)
        assert settings.alpha == 0.3
        assert settings.num_train_epochs == 3
        assert settings.learning_rate == 7e-4  # YAML takes 7e-4 for a text
        assert (settings.gamma, settings.form) == (0.5, "div")
        assert settings.max_length == 512


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert parse(["--config", str(tmp_path / "empty.yaml")])[0] == RunConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("alhpa: 0.3\n", r"no settings named \['alhpa'\]; see cat-tune train --help"),
        ("config: other.yaml\n", r"no settings named \['config'\]"),
        ("alpha: [1\n", "expected YAML"),
        ("- alpha\n- 0.3\n", "expected 'name: value' lines"),
        ("just words\n", "expected 'name: value' lines"),
        (b"\xff\xfe\x00alpha", "expected YAML"),
        ("form: square\n", "expected form of"),
        ("alpha: -1\n", "expected alpha as a positive number"),
        ("alpha: [0.1, 0.2]\n", "expected alpha as a positive number"),
    ],
)
def test_files_that_hold_no_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, message: str
) -> None:
    file = tmp_path / "run.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=message) as caught:
        parse(["--config", str(file)])
    if "alpha: " not in str(content) and "form" not in str(content):
        assert str(file) in str(caught.value)
    assert message.split("\\")[0] in fails(capsys, ["--config", str(file)])


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "run.yaml" in fails(capsys, ["--config", str(tmp_path / "run.yaml")])
    assert str(tmp_path) in fails(capsys, ["--config", str(tmp_path)])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--alpha", "abc"], "argument --alpha: invalid float value: 'abc'"),
        (["--alhpa", "0.3"], "unrecognized arguments: --alhpa 0.3"),
        (["--form", "square"], "argument --form: invalid choice: 'square'"),
        (["--max_steps"], "argument --max_steps/--max-steps: expected one argument"),
        (["--lora", "perhaps"], "Truthy value expected: got perhaps"),
    ],
)
def test_flags_that_make_no_sense(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        cat_tune(["train", *argv])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert "usage: cat-tune train" in told


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cat_tune(["train", "--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for field in (*fields(RunConfig), *fields(CATConfig)):
        if field.init:
            assert f"--{field.name}" in told


# --- a run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_what_a_run_leaves_behind(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lora: bool
) -> None:
    argv = flags(data, tmp_path, "--alpha", "10", *(["--lora"] if lora else []))
    config, settings = parse(argv)
    seen: list[int] = []
    said: list[str] = []
    result = run(config, settings, on_record=lambda r: seen.append(r.step), say=said.append)

    assert seen == [record.step for record in result.records] == [1, 2, 3, 4, 5, 6]
    lines = (tmp_path / "steps.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [r.to_dict() for r in result.records]
    assert said[0].startswith("tiny on ")
    assert said[1].startswith("64 texts (0 without signals")

    assert not result.model.training
    weights = "adapter_model.safetensors" if lora else "model.safetensors"
    assert (tmp_path / weights).is_file()
    model, tokenizer = load_model(str(tmp_path))
    examples = load_data(str(data))
    for name in ("test_iid", "test_ood"):
        again = evaluate_answers(model, tokenizer, examples[name])
        assert again.answers == result.evaluations[name].answers
    inputs = torch.tensor([[3, 4, 5, 6]])
    with torch.no_grad():
        torch.testing.assert_close(model(inputs).logits, result.model(inputs).logits)

    written = json.loads((tmp_path / "result.json").read_text())
    assert written["run"] == {
        **{f.name: f.default for f in fields(RunConfig)},
        "data": str(data),
        "lora": lora,
    }
    assert written["settings"]["alpha"] == 10
    assert written["settings"]["learning_rate"] == 2e-3
    assert written["settings"]["seed"] == 42
    assert written["data"] == {name: digest(texts) for name, texts in examples.items()}
    for name, evaluation in result.evaluations.items():
        assert written["scores"][name] == json.loads(json.dumps(evaluation.to_dict()))
        assert set(written["references"][name]) == set(result.references[name])
    assert {"date", "code", "versions", "machine"} <= written.keys()


def test_weights_to_tune_are_float32_whatever_is_computed_in(data: Path, tmp_path: Path) -> None:
    """In bfloat16 most weights would never change: the step is below their spacing."""
    argv = flags(data, tmp_path / "full", "--dtype", "bfloat16", "--learning_rate", "5e-5")
    config, settings = parse([*argv, "--device", "cpu", "--warmup_steps", "0"])
    assert settings.bf16
    model = run(config, settings, say=lambda line: None).model
    assert model.dtype == torch.float32
    seen = model.state_dict()["model.layers.0.mlp.up_proj.weight"]
    before = load_model("tiny")[0].state_dict()["model.layers.0.mlp.up_proj.weight"]
    assert bool((seen != before).all())

    argv = flags(data, tmp_path / "lora", "--dtype", "bfloat16", "--lora", "--device", "cpu")
    model = run(*parse(argv), say=lambda line: None).model
    by_kind = {p.requires_grad: p.dtype for p in model.parameters()}
    assert by_kind == {True: torch.float32, False: torch.bfloat16}


def test_the_same_command_gives_the_same_model(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert main(flags(data, tmp_path / name, "--alpha", "10", "--lora")) == 0
    files = [tmp_path / name / "adapter_model.safetensors" for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_the_command_prints(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = flags(data, tmp_path, "--eval_strategy", "steps", "--eval_steps", "4")
    assert cat_tune(["train", *argv]) == 0
    told = capsys.readouterr().out
    assert "step 4: eval_test_iid_accuracy " in told
    assert "eval_test_ood_accuracy " in told
    assert "test_ood: accuracy " in told
    assert "    always Low Risk: accuracy " in told
    assert f"written to {tmp_path}" in told
    assert "{'loss'" not in told  # transformers' own printing


def test_eval_reads_what_train_wrote(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(data, tmp_path, "--alpha", "10")) == 0
    scores = json.loads((tmp_path / "result.json").read_text())["scores"]
    capsys.readouterr()
    argv = ["eval", "--model", str(tmp_path), "--data", str(data), "--device", "cpu"]
    assert cat_tune([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: rows[str(tmp_path)] for name, rows in found.items()} == scores
    assert cat_tune([*argv, "--batch-size", "7"]) == 0
    assert "always Low Risk: accuracy" in capsys.readouterr().out


def test_model_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cat_tune(["model", "list"]) == 0
    assert {"tiny", "tiny-word", "smollm2"} <= set(capsys.readouterr().out.split())


# --- what cannot be used --------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["out", "deeper/out"])
def test_an_output_folder_that_cannot_be_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], below: str
) -> None:
    """Below a regular file not even root can write."""
    (tmp_path / "file").write_text("mine")
    told = fails(capsys, flags(data, tmp_path / "file" / below))
    assert "expected an output folder that can be written" in told
    assert "choose another with --output_dir, or free space" in told
    told = fails(capsys, flags(data, tmp_path / "file"))
    assert "expected an output folder that can be written" in told
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_is_found_out_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(28, "No space left on device")

    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match=r"cannot \(No space left on device\)"):
        check_writable(tmp_path)


def test_a_data_file_that_was_cut_off(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (data / "train.jsonl").read_bytes()
    (tmp_path / "test.jsonl").write_bytes((data / "test_ood.jsonl").read_bytes())
    (tmp_path / "train.jsonl").write_bytes(content[: len(content) // 2])
    line = content[: len(content) // 2].count(b"\n") + 1
    told = fails(capsys, flags(tmp_path, tmp_path / "out"))
    assert f"{tmp_path / 'train.jsonl'}:{line}: expected one JSON record a line" in told
    assert "was the file cut off?" in told


def test_folders_and_names_that_hold_no_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(capsys, flags(tmp_path / "nowhere", tmp_path / "out"))
    assert "expected stg-e or stg-h or a folder for data" in told
    told = fails(capsys, flags(tmp_path, tmp_path / "out"))
    assert "expected a training split among []" in told
    argv = ["--output_dir", str(tmp_path / "out"), "--train_split", "XL"]
    assert "got 'XL'" in fails(capsys, argv)


def test_a_model_that_is_not_there(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cat.models._hub_answers", lambda: False)
    before = time.monotonic()
    told = fails(capsys, flags(data, tmp_path, "--model", "tinny"))
    assert "no model 'tinny'" in told
    assert "Did you mean 'tiny'?" in told
    argv = ["eval", "--model", "tinny", "--data", str(data)]
    assert "no model 'tinny'" in fails(capsys, argv, cat_tune)
    assert time.monotonic() - before < 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--alpha", "0"], "expected alpha as a positive number"),
        (["--alpha", "nan"], "leave alpha out"),
        (["--gamma", "epochs"], 'expected gamma "epoch"'),
        (["--max_length", "1"], "max_length of at least 2 tokens"),
        (["--max_length", "5"], "no answer fits under max_length=5 tokens"),
        (["--alpha", "1", "--max_length", "5"], "no example has a supervised row"),
        (["--lora", "--lora_rank", "0"], "should be a positive integer value"),
        (["--device", "cuda"], "this torch sees none"),
        (["--dtype", "int8"], "expected dtype auto"),
    ],
)
def test_settings_that_cannot_work(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert message in fails(capsys, flags(data, tmp_path / "out", *more))


def test_a_finished_runs_result_is_not_left_beside_an_unfinished_one(
    data: Path, tmp_path: Path
) -> None:
    argv = flags(data, tmp_path, "--save_strategy", "no")
    assert main(argv) == 0
    assert (tmp_path / "result.json").is_file()

    def interrupt(record: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="after step 1 of 6; no checkpoint was written"):
        run(*parse(argv), on_record=interrupt, say=lambda line: None)
    assert not (tmp_path / "result.json").exists()


# --- smaller parts --------------------------------------------------------------------------------


def test_report_errors(capsys: pytest.CaptureFixture[str]) -> None:
    def raising(error: BaseException) -> Callable[[], int]:
        def command() -> int:
            raise error

        return command

    assert report_errors(lambda: 0) == 0
    for error in (ValueError("bad"), OSError("bad"), RuntimeError("bad")):
        assert report_errors(raising(error)) == 2
        assert capsys.readouterr().err == "error: bad\n"
    assert report_errors(raising(KeyboardInterrupt("checkpoint: here"))) == 130
    assert capsys.readouterr().err == "\ncheckpoint: here\n"
    assert report_errors(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"
    with pytest.raises(ZeroDivisionError):  # a mistake of ours wants its traceback
        report_errors(raising(ZeroDivisionError()))


def test_provenance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = provenance()
    assert found["versions"]["torch"] == metadata.version("torch")
    assert f"{os.cpu_count()} cores" in found["machine"]
    # Installed inside somebody else's checkout, their commit says nothing about our code.
    (tmp_path / ".git").mkdir()
    package = tmp_path / "site-packages" / "cat"
    package.mkdir(parents=True)
    monkeypatch.setattr("cat.provenance.__file__", str(package / "provenance.py"))
    assert provenance()["code"] == cat.__version__


def test_score_line() -> None:
    risk = Evaluation(("High Risk", "Low Risk"), ("High Risk", "High Risk"))
    assert score_line(risk).startswith("accuracy 50.00% [9.45%, 90.55%], balanced 50.00%")
    index = Evaluation(("32", "30", "warm"), ("32", "33", "34"))
    assert score_line(index).endswith(", mean absolute error 1.50 (1 no number)")


# --- other ways to start it -----------------------------------------------------------------------


def module(*command: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *launcher, "-m", "cat.train", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


def test_python_m() -> None:
    done = module("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: cat-tune train")
    assert done.stderr == ""


ACCELERATE = (
    *("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
)
# accelerate launch starts several processes on GPUs only; on CPUs torchrun does.
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


@pytest.mark.slow
def test_launchers_give_the_same_run_on_one_and_two_processes(data: Path, tmp_path: Path) -> None:
    """Half the batch on each of two: the same objective, the same records, one log."""
    shared = ("--alpha", "10", "--optim", "sgd", "--learning_rate", "0.05", "--device", "cpu")
    folders = {}
    for processes, launcher in ((1, ACCELERATE), (2, TORCHRUN)):
        folders[processes] = tmp_path / str(processes)
        size = ("--per_device_train_batch_size", str(16 // processes))
        argv = flags(data, folders[processes], *shared, *size)
        done = module(*argv, launcher=launcher)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("written to") == 1

    logs = [
        [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
        for folder in folders.values()
    ]
    assert [record["step"] for record in logs[1]] == [1, 2, 3, 4, 5, 6]
    for one, two in zip(*logs, strict=True):
        assert two == pytest.approx(one, abs=1e-4)
    models = [load_model(str(folder))[0] for folder in folders.values()]
    for one, two in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(two, one, atol=1e-5, rtol=0)
