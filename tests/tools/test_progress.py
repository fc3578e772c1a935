from __future__ import annotations

import io
import threading

import pytest

from jointtask.tools.progress import PlainProgress, SilentProgress, TerminalProgress, open_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_at_the_start_now_and_then_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock).phase("E-step", 100) as bar:
        for _ in range(50):
            clock.now += 0.5
            bar.advance(2)
    assert stream.getvalue().splitlines() == [
        "E-step: 100",
        "E-step: 40/100, 4/s, 15 s left",
        "E-step: 80/100, 4/s, 5 s left",
        "E-step: done, 100/100 in 25 s",
    ]


def test_plain_lines_of_a_phase_that_fails() -> None:
    stream, clock = io.StringIO(), Clock()

    def fail() -> None:
        with PlainProgress(stream, clock).phase("M-step", 10) as bar:
            bar.advance(3)
            clock.now += 75
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert stream.getvalue().splitlines() == ["M-step: 10", "M-step: stopped, 3/10 in 1 min 15 s"]


def test_no_units_and_long_times() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock).phase("nothing", 0):
        clock.now += 7500
    assert stream.getvalue().splitlines()[-1] == "nothing: done, 0/0 in 2 h 5 min"


def test_advances_from_many_threads_are_all_counted() -> None:
    stream = io.StringIO()
    with PlainProgress(stream).phase("data", 8000) as bar:

        def work() -> None:
            for _ in range(1000):
                bar.advance()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert stream.getvalue().splitlines()[-1].startswith("data: done, 8000/8000 in ")


def test_a_terminal_gets_a_live_line_and_keeps_a_plain_one() -> None:
    stream = Terminal()
    progress = open_progress(stream)
    assert isinstance(progress, TerminalProgress)
    with progress.phase("outer [x]", 2) as outer:
        outer.advance()
        with progress.phase("inner", 3) as inner:
            inner.advance(3)
            progress.say("a line with [brackets]")
        outer.advance()
    text = stream.getvalue()
    assert "inner: done, 3/3 in " in text
    assert "outer [x]: done, 2/2 in " in text
    assert "a line with [brackets]" in text
    assert text.endswith("s\n")


def test_a_terminal_after_a_failure_is_left_usable() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream)

    def fail() -> None:
        with progress.phase("one", 2):
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    with progress.phase("two", 1) as bar:
        bar.advance()
    assert "one: stopped, 0/2 in " in stream.getvalue()
    assert "two: done, 1/1 in " in stream.getvalue()


def test_other_streams_get_plain_lines() -> None:
    assert isinstance(open_progress(io.StringIO()), PlainProgress)


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    progress.say("hello")
    with progress.phase("x", 1) as bar:
        bar.advance()
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_lines_that_nobody_can_read_cost_no_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    for stream in (Gone(), closed):
        with PlainProgress(stream).phase("E-step", 2) as bar:
            bar.advance(2)


def test_control_characters_are_written_as_escapes() -> None:
    plain, live = io.StringIO(), Terminal()
    for progress in (PlainProgress(plain), TerminalProgress(live)):
        progress.say("reading a\x1b]0;title\x07.png")
    assert plain.getvalue() == "reading a\\x1b]0;title\\x07.png\n"
    assert "a\\x1b]0;title\\x07.png" in live.getvalue()
