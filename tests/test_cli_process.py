"""What only a process of its own shows: pipes, signals, terminals and imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

CNNDSL = [sys.executable, "-m", "cnndsl"]
DIGITS = Path(__file__).parents[1] / "examples" / "digits"
pty = pytest.importorskip("pty")


def environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return {**kept, "TERM": "xterm-256color", "COLUMNS": "200", **changes}


def on_terminal(*arguments: str, **changes: str) -> str:
    """What a terminal shows of a command."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*CNNDSL, *arguments], stdout=follower, stderr=follower, env=environment(**changes)
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    process.wait()
    os.close(leader)
    return shown.decode()


def test_a_pasted_table_goes_through_pipes_to_a_check():
    pasted = Path(__file__).parent / "tables" / "alexnet_ko.tsv"
    imported = subprocess.run(
        [*CNNDSL, "import", "table", "-"],
        input=pasted.read_bytes(),
        capture_output=True,
        check=True,
    )
    checked = subprocess.run([*CNNDSL, "check", "-"], input=imported.stdout, capture_output=True)
    assert checked.returncode == 0
    assert b"62,378,344 parameters" in checked.stdout


def test_a_reader_that_has_read_enough_ends_the_command_quietly():
    process = subprocess.Popen(
        [*CNNDSL, "show", "alexnet", "--svg", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_an_interruption_ends_the_command_quietly():
    process = subprocess.Popen(
        [*CNNDSL, "fmt", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell's background jobs, which this suite may be one of, ignore interruptions.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    # The text is longer than the pipe, so the command has begun to read when this returns.
    process.stdin.write(b"#" * 900_000)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err) == (b"", b"")


def test_colours_are_for_terminals_that_want_them():
    arguments = ["check", "absent.cnn"]
    assert "31merror" in on_terminal(*arguments)
    assert "31merror" not in on_terminal(*arguments, NO_COLOR="1")
    piped = subprocess.run([*CNNDSL, *arguments], capture_output=True, env=environment())
    assert b"\x1b" not in piped.stdout


def test_a_terminal_shows_a_table_and_progress_above_which_results_stand():
    shown = on_terminal("show", "lenet5")
    assert "─" in shown
    assert "61,696 parameters" in shown
    shown = on_terminal("run", "lenet5", str(DIGITS), "--top", "1")
    assert shown.count(".png: ") == 20
    assert "20/20" in shown


def test_without_rich_everything_is_plain_text():
    program = (
        "import sys; sys.modules['rich'] = None; import cnndsl.cli.main as m; m.main(sys.argv[1:])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program, "show", "lenet5"],
        capture_output=True,
        check=True,
        env=environment(FORCE_COLOR="1"),
    )
    assert shown.stdout.startswith(b"LeNet-5\n\nrow  type ")


def test_what_an_encoding_cannot_say_is_escaped():
    table = "cnn 1\nlayer type maps size\n입력 input 1 8x8\n합성곱 conv 1 9x9 kernel=3\n"
    checked = subprocess.run(
        [*CNNDSL, "check", "-"],
        input=table.encode(),
        capture_output=True,
        env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0"),
    )
    assert checked.returncode == 1
    assert b"row \\ud569\\uc131\\uacf1, column size" in checked.stdout


def test_running_a_compiled_model_needs_no_parser_and_no_graph(tmp_path):
    model = str(tmp_path / "lenet5.cnnm")
    subprocess.run([*CNNDSL, "compile", "lenet5", "-o", model], check=True, capture_output=True)
    program = (
        "import sys; from cnndsl.cli.main import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print({'lark', 'networkx', 'numba'} & sys.modules.keys(), file=sys.stderr)"
    )
    arguments = [sys.executable, "-c", program, "run", model, str(DIGITS / "0_a.png")]
    for _ in range(2):  # the first makes the plan that the second finds
        ran = subprocess.run(arguments, capture_output=True, check=True)
    assert ran.stderr == b"set()\n"


def test_an_interruption_while_the_verb_is_loaded_ends_the_command_quietly():
    program = (
        "import sys; from cnndsl.cli import command_line\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "command_line.import_module = interrupted\n"
        "from cnndsl.__main__ import main; raise SystemExit(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "check", "lenet5"], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_behind_standard_output_is_said():
    with Path("/dev/full").open("w") as full:
        shown = subprocess.run(
            [*CNNDSL, "show", "lenet5"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert shown.returncode == 1
    message = b"error[E801]: cannot write to standard output: No space left on device\n"
    assert shown.stderr == message


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_end_in_no_traceback(closed):
    command = f'"{sys.executable}" -m cnndsl check - {closed}'
    checked = subprocess.run(["sh", "-c", command], input=b"", capture_output=True, check=False)
    assert checked.returncode == 1
    assert b"Traceback" not in checked.stdout + checked.stderr
    assert b"mistake in cnndsl" not in checked.stdout + checked.stderr


def test_a_cache_that_cannot_be_written_is_a_note_in_plain_words(tmp_path):
    taken = tmp_path / "a file"
    taken.touch()
    ran = subprocess.run(
        [*CNNDSL, "run", "lenet5", str(DIGITS / "7_a.png")],
        capture_output=True,
        env=environment(CNNDSL_CACHE_DIR=str(taken)),
        check=True,
    )
    assert ran.stderr.startswith(f"warning: cannot write to the cache {taken} (".encode())
    assert ran.stderr.count(b"\n") == 1


def test_a_narrow_terminal_folds_the_last_column_only_and_no_word_of_the_others():
    wide, narrow = (on_terminal("show", "lenet5", COLUMNS=str(n)) for n in (90, 40))
    for shown in (wide, narrow):
        assert "avgpool" in shown
        assert "117,600" in shown
    assert "─" in wide
    assert "─" not in narrow
