"""The board in the kernel: which messages go out, and what it says it shows."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from catviz.widgets.board import Board
from catviz.widgets.charts import Line, LineChart


def chart(value: float) -> LineChart:
    return LineChart("Loss", "step", "nats", [Line("loss", [0], [value])])


def value(one: Any) -> float:
    return one.lines[0].y[0]


class Heard(Board):
    """A board whose messages are written down."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        super().__init__()

    def send(self, content: Any, buffers: Any = None) -> None:
        self.messages.append((content, buffers or []))

    @property
    def kinds(self) -> list[tuple[str, int | None]]:
        return [(message["kind"], message.get("number")) for message, _ in self.messages]


@pytest.fixture
def board() -> Heard:
    return Heard()


def test_a_frame_hides_what_stands_behind_it(board: Heard) -> None:
    board.show({"loss": chart(1), "other": chart(2)})
    assert board.add_frame({"loss": chart(3)}) == 0
    assert board.add_frame({"loss": chart(4)}) == 1
    assert board.kinds == [("show", None), ("frame", 0), ("frame", 1)]
    for frame, wanted in ((-1, 4), (0, 3), (1, 4), (7, 4), (-5, 4)):
        board.frame = frame
        assert value(board.charts["loss"]) == wanted
        assert value(board.charts["other"]) == 2
    assert board.n_frames == 2


def test_cleared_there_is_nothing(board: Heard) -> None:
    board.show({"loss": chart(1)})
    board.add_frame({"loss": chart(3)})
    board.frame = 0
    board.clear()
    assert board.charts == {}
    assert (board.frame, board.n_frames) == (-1, 0)
    assert board.kinds[-1] == ("clear", None)
    assert board.add_frame({"loss": chart(3)}) == 0


def test_a_page_that_asks_gets_everything(board: Heard) -> None:
    board.show({"loss": chart(1)})
    board.add_frame({"loss": chart(3)})
    sent = list(board.messages)
    board.messages.clear()
    board._answer(board, {"kind": "something else"}, [])
    assert board.kinds == []
    board._answer(board, {"kind": "everything"}, [])
    assert board.kinds == [("clear", None), ("show", None), ("frame", 0)]
    assert board.messages[1:] == sent


def test_frames_from_many_threads_come_in_order(board: Heard) -> None:
    def add() -> None:
        for at in range(20):
            board.add_frame({"loss": chart(at)})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert board.kinds == [("frame", number) for number in range(80)]
    assert board.n_frames == 80


def test_charts_are_no_part_of_the_state() -> None:
    board = Board(order=["loss"])
    empty = {name: value for name, value in board.get_state().items() if name != "_esm"}
    board.show({"loss": chart(1)})
    board.add_frame({"loss": chart(2)})
    state = board.get_state()
    assert {*state} - {"_esm"} == {*empty}
    assert len(state["_esm"]) < 80_000
