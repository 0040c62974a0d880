"""Texts with one or a few small mistakes, as people make them."""

from collections.abc import Callable
from random import Random

from hypothesis import strategies as st

Words = list[list[str]]
WORDS = [
    "-",
    "?",
    "0",
    "1",
    "3x3",
    "7",
    "1,000",
    "same",
    "relu",
    "conv",
    "lrn",
    "From",
    "a=b",
    '"',
    "#",
]


def mutated(text: str) -> st.SearchStrategy[str]:
    """`text` with one to three mistakes in it."""
    return st.builds(mutate, st.just(text), st.integers(1, 3), st.randoms(use_true_random=False))


def mutate(text: str, times: int, random: Random) -> str:
    lines = [line.split(" ") for line in text.split("\n")]
    for _ in range(times):
        random.choice(MISTAKES)(lines, random)
    return "\n".join(" ".join(line) for line in lines)


def a_word(lines: Words, random: Random) -> tuple[list[str], int]:
    line = random.choice([line for line in lines if any(line)] or [["x"]])
    return line, random.choice([i for i, word in enumerate(line) if word])


def delete_a_cell(lines: Words, random: Random) -> None:
    line, i = a_word(lines, random)
    del line[i]


def repeat_a_cell(lines: Words, random: Random) -> None:
    line, i = a_word(lines, random)
    line.insert(i, line[i])


def swap_cells(lines: Words, random: Random) -> None:
    (a, i), (b, j) = a_word(lines, random), a_word(lines, random)
    a[i], b[j] = b[j], a[i]


def misspell(lines: Words, random: Random) -> None:
    line, i = a_word(lines, random)
    letters = list(line[i])
    place = random.randrange(len(letters))
    letters[place : place + 1] = random.choice([[], letters[place] * 2, random.choice("xX=,.-9q#")])
    line[i] = "".join(letters)


def change_a_number(lines: Words, random: Random) -> None:
    line, i = a_word(lines, random)
    digits = [place for place, letter in enumerate(line[i]) if letter.isdigit()]
    if digits:
        place = random.choice(digits)
        line[i] = line[i][:place] + str(random.randrange(10)) + line[i][place + 1 :]


def write_another_word(lines: Words, random: Random) -> None:
    line, i = a_word(lines, random)
    line[i] = random.choice(WORDS)


def delete_a_line(lines: Words, random: Random) -> None:
    if len(lines) > 1:
        del lines[random.randrange(len(lines))]


def repeat_a_line(lines: Words, random: Random) -> None:
    lines.insert(random.randrange(len(lines)), list(random.choice(lines)))


MISTAKES: list[Callable[[Words, Random], None]] = [
    delete_a_cell,
    repeat_a_cell,
    swap_cells,
    misspell,
    change_a_number,
    write_another_word,
    delete_a_line,
    repeat_a_line,
]
