"""The README says what the program says."""

import doctest
import os
import re
import shlex
from pathlib import Path

import pytest

from cnndsl.cli.main import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+")
ARENA = re.compile(r"(?<=arena on the target cpu: )\d+\.\d+")
CONSOLES = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def printed(command: str, capfd: pytest.CaptureFixture[str]) -> str:
    """All that a command prints, diagnostics included."""
    assert command.startswith("cnndsl ")
    main(shlex.split(command)[1:])
    out, err = capfd.readouterr()
    return out + err


@pytest.mark.cache
@pytest.mark.parametrize("console", CONSOLES, ids=lambda text: text.splitlines()[0])
def test_a_console_shows_what_its_commands_print(console, capfd, monkeypatch, tmp_path):
    for path in ROOT.iterdir():  # what a command writes goes here, and no other test meets it
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    expected = ""
    for line in console.splitlines():
        if line.startswith("$ "):
            expected += f"{line}\n{printed(line[2:], capfd)}"
    expected = expected.replace(f"{ROOT}/", "")
    if os.environ.get("CNNDSL_WRITE_README"):
        text = (ROOT / "README.md").read_text(encoding="utf-8").replace(console, expected)
        (ROOT / "README.md").write_text(text, encoding="utf-8")
        return
    # Machines differ in the last bits of a distance, and so in the last digit printed; and in their
    # algorithms, which ask for more or less around an image.
    assert NUMBER.sub("#", console) == NUMBER.sub("#", expected)
    texts = [ARENA.sub("", text) for text in (console, expected)]
    found, wanted = (map(float, NUMBER.findall(text)) for text in texts)
    assert list(found) == pytest.approx(list(wanted), rel=2e-3)


@pytest.mark.cache
def test_the_python_examples_hold():
    (python,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(python, {}, "README.md", "README.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test).failed == 0
    assert test.examples


def test_the_table_is_the_shipped_one():
    (table,) = re.findall(r"```cnn\n(.*?)```", README, re.DOTALL)
    shipped = (ROOT / "specs" / "lenet5.cnn").read_text(encoding="utf-8")
    without_comments = "".join(
        line for line in shipped.splitlines(keepends=True) if not line.startswith("#")
    )
    assert table == without_comments


def test_the_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
