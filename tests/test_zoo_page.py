"""docs/zoo.md lists every shipped spec with what it costs."""

from pathlib import Path

import pytest

from benchmarks import zoo
from benchmarks.zoo_times import Time
from cnndsl.api import parse
from cnndsl.resources import shipped_specs

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"


def listed():
    """The cells of the table's rows, by spec."""
    table = PAGE.read_text("utf-8").partition("<!-- zoo -->")[2].partition("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0].strip("`"): row[1:] for row in rows if row[0].startswith("`")}


def test_every_shipped_spec_is_on_the_page():
    assert set(listed()) == set(shipped_specs())


@pytest.mark.parametrize("spec", shipped_specs())
def test_the_page_says_what_a_spec_costs(spec):
    network = parse(spec)
    params, macs, *_ = listed()[spec]
    assert params == f"{network.trainable_params:,}"
    assert macs == f"{network.macs / 1e6:,.1f} M"


def test_no_error_on_the_page_is_more_than_rounding():
    errors = [row[i] for row in listed().values() for i in (5, 8) if row[i]]
    assert errors
    assert all(float(error) < 1e-4 for error in errors)


def test_a_part_of_the_table_is_written_and_the_rest_stays(tmp_path, monkeypatch, capsys):
    page = tmp_path / "zoo.md"
    page.write_text(PAGE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(zoo, "PAGE", page)
    monkeypatch.setattr(zoo, "measure_times", lambda spec, seconds: Time(seconds, "ncnn", 12.5))
    before = zoo.listed(page.read_text("utf-8"))
    zoo.main(["--times", "--nets", "nin,vgg11", "--seconds", "2", "--write"])
    after = zoo.listed(page.read_text("utf-8"))
    times = ["2.00 ms", "12.5 ms", "ncnn"]
    changed = {spec: (before[spec][0], times) for spec in ("nin", "vgg11")}
    assert after == before | changed
    assert capsys.readouterr().out.count("\n") == len(after) + 2
