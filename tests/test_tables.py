"""Tables pasted from books and papers become the `.cnn` text that a reader of them would write."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.errors import CnnError
from cnndsl.frontend.load import load_network
from cnndsl.frontend.tables import ImportedTable, import_table
from cnndsl.ir.network import Network
from cnndsl.source import Source

TABLES = Path(__file__).parent / "tables"
BOOK = {"lenet5": "LeNet-5", "alexnet": "AlexNet"}
HEADER = "Layer,Type,Maps,Size,Kernel size,Stride,Padding,Activation\n"


def pasted(name: str) -> str:
    return (TABLES / name).read_text(encoding="utf-8")


def loaded(table: ImportedTable) -> Network:
    return load_network(Source("imported.cnn", table.text))


def complaints(table: ImportedTable) -> set[str]:
    try:
        loaded(table)
    except CnnError as error:
        return {diagnostic.code for diagnostic in error.diagnostics}
    return set()


def upside_down(text: str, suffix: str) -> str:
    """The same table with its layers in the other order."""
    lines = text.splitlines()
    head = 2 if suffix == "md" else 1
    return "\n".join([*lines[:head], *reversed(lines[head:])])


def imported(rows: str, header: str = HEADER) -> ImportedTable:
    return import_table(header + rows, "Net")


def row_of(table: ImportedTable, name: str) -> list[str]:
    return next(line.split() for line in table.text.splitlines() if line.startswith(f"{name} "))


def refusal(text: str) -> CnnError:
    with pytest.raises(CnnError) as caught:
        import_table(text, "Net", "pasted.csv")
    return caught.value


@pytest.mark.parametrize("network", BOOK)
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("suffix", ["md", "tsv", "csv"])
def test_the_books_tables_import_in_both_languages_and_either_order(network, language, suffix):
    printed = pasted(f"{network}_{language}.{suffix}")
    expected = pasted(f"{network}.cnn")
    for text in (printed, upside_down(printed, suffix)):
        result = import_table(text, BOOK[network])
        assert result.text == expected
        assert result.diagnostics == ()


@pytest.mark.parametrize(("network", "params"), [("lenet5", 61_696), ("alexnet", 62_378_344)])
def test_the_books_tables_load_with_the_parameters_that_the_book_counts(network, params):
    imported = loaded(import_table(pasted(f"{network}_ko.md"), BOOK[network]))
    assert imported.params == params
    assert imported.warnings == ()


def test_what_the_table_leaves_unsaid_is_written_out_and_noted():
    result = import_table(pasted("lenet5_en.md"), "LeNet-5")
    assert result.notes == (
        "Out: RBF in the activation column is written as the row type rbf, with the Euclidean "
        "distance",
        "C1, S2, C3, S4, C5: the table does not say the padding: valid is written",
    )
    assert import_table(pasted("alexnet_en.md"), "AlexNet").notes == ()


def test_markup_byte_order_marks_and_full_width_characters_are_no_part_of_a_cell():
    result = import_table(
        "\ufeffTable 3. A network\r\n"
        "\r\n"
        "｜ **Layer** ｜ `Type` ｜ Maps ｜ Size ｜ Kernel&nbsp;size ｜ Stride ｜\r\n"
        "| :-- | :-: | --: | --- | --- | --- |\r\n"
        "| *In* | Input | ３（RGB） | $32 \\times 32$ | — | − |\r\n"
        "| **C1** | [Convolution](https://example.org) | ８ | 30<br>x30 | (3, 3) | １ |\r\n",
        "Net",
    )
    assert row_of(result, "In") == ["In", "input", "3", "32x32", "-", "-", "-"]
    assert row_of(result, "C1") == ["C1", "conv", "8", "30x30", "3x3", "1", "valid"]
    assert [d.message for d in result.diagnostics] == [
        "this line is no part of the table and is left out"
    ]


def test_an_escaped_bar_belongs_to_its_cell():
    error = refusal("| Layer | Type |\n|---|---|\n| In | Input |\n| a\\|b | Con\\|volv |\n")
    assert "'Con|volv' is no type of layer" in [d.message for d in error.diagnostics]


def test_quoted_fields_may_hold_delimiters_quotes_and_line_breaks():
    result = imported(
        'In,Input,"3 (""RGB"")","227 x\n227",–,–,–,–\nF1,"Fully connected","4,096",–,–,–,–,ReLU\n'
    )
    assert row_of(result, "In")[2:4] == ["3", "227x227"]
    assert row_of(result, "F1")[2:4] == ["4096", "-"]


def test_semicolons_separate_cells_where_commas_do_not():
    result = import_table("Layer;Type;Maps;Size\nIn;Input;1;28x28\nF1;FC;10;-\n", "Net")
    assert row_of(result, "F1") == ["F1", "dense", "10", "-"]


def test_short_rows_leave_their_last_cells_unsaid():
    result = imported("In,Input,1,8x8\nC1,Conv,4,6x6,3x3\n")
    assert row_of(result, "C1") == ["C1", "conv", "4", "6x6", "3x3", "1", "valid"]
    assert "C1: the table does not say the stride: 1 is written" in result.notes


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [("26x26", "1", "valid"), ("28x28", "1", "same"), ("14x14", "2", "same_upper")],
)
def test_padding_that_is_not_printed_is_the_one_that_gives_the_printed_size(size, stride, padding):
    result = imported(f"In,Input,1,28x28\nC1,Conv,4,{size},3x3,{stride}\n")
    assert row_of(result, "C1")[6] == padding


def test_printed_same_is_named_where_frameworks_differ():
    result = imported("In,Input,3,224x224\nC1,Conv,64,112x112,7x7,2,same,ReLU\n")
    assert row_of(result, "C1")[6] == "same_upper"
    assert result.notes == (
        "C1: padding `same` adds an odd number of cells: same_upper is written, as in Keras",
    )


def test_a_pools_stride_that_is_not_printed_is_its_kernel_where_that_gives_the_size():
    result = imported("In,Input,1,28x28\nS1,Max pooling,1,14x14,2x2\nS2,Max pool,1,13x13,2x2\n")
    assert row_of(result, "S1")[5] == "2"
    assert row_of(result, "S2")[5] == "1"


def test_a_pool_that_needs_it_is_rounded_up():
    result = imported("In,Input,1,112x112\nS1,Max pooling,1,56x56,3x3,2,valid\n")
    assert row_of(result, "S1")[-1] == "rounding=ceil"


def test_average_pools_over_padding_name_their_divisor():
    result = imported("In,Input,1,9x9\nS1,Avg pooling,1,5x5,3x3,2,same\n")
    assert row_of(result, "S1")[-1] == "divisor=inside"


def test_a_false_size_is_imported_for_the_checker_to_explain():
    result = imported("In,Input,3,224x224\nC1,Conv,96,55x55,11x11,4,valid,ReLU\n")
    assert row_of(result, "C1")[3] == "55x55"


def test_output_shapes_of_three_sides_hold_the_maps():
    result = import_table(
        "Layer\tType\tOutput size\tKernel\tStride\nIn\tInput\t32x32x3\nC1\tConv\t30×30×8\t3\t1\n"
        "F1\tFC\t1×1×10\n",
        "Net",
    )
    assert row_of(result, "In")[2:4] == ["3", "32x32"]
    assert row_of(result, "C1")[2:5] == ["8", "30x30", "3x3"]
    assert row_of(result, "F1")[2:4] == ["10", "-"]


def test_dropout_normalization_and_functions_are_rows_too():
    result = import_table(
        "층,종류,특성맵,크기,옵션\n"
        "입력,입력,4,8x8,\n"
        "N1,정규화,4,8x8,r=2 alpha=2e-5 beta=0.75 k=1\n"
        "A1,ReLU,4,8x8,\n"
        "D1,드롭아웃 (50%),4,8x8,\n"
        "F1,완전 연결,–,10,dropout=0.25\n"
        "출력,소프트맥스,–,10,\n",
        "Net",
    )
    assert row_of(result, "N1")[4:] == ["alpha=2e-05", "beta=0.75", "k=1", "r=2"]
    assert row_of(result, "A1")[1:] == ["activation", "4", "8x8", "activation=relu"]
    assert row_of(result, "D1")[1:] == ["dropout", "4", "8x8", "rate=0.5"]
    assert row_of(result, "F1")[1:] == ["dense", "10", "-", "dropout=0.25"]
    assert row_of(result, "Out")[1:4] == ["activation", "?", "-"]
    assert complaints(result) == set()


def test_branches_keep_their_names_and_parameters_are_claims():
    result = import_table(
        "name,type,from,maps,size,kernel,stride,params\n"
        "input,input,,3,8x8,,,0\n"
        "conv 1,conv,input,4,6x6,3,1,112\n"
        "conv-2,conv,conv 1,4,4x4,3,1,~150\n",
        "Net",
    )
    assert row_of(result, "conv_1") == [
        *("conv_1", "conv", "In", "4", "6x6", "3x3", "1", "valid", "112"),
    ]
    assert row_of(result, "conv-2")[2] == "conv_1"
    assert row_of(result, "conv-2")[-1] == "?"
    assert [d.column for d in result.diagnostics] == ["params"]


def test_residual_blocks_and_newer_functions_import():
    result = import_table(
        "name\ttype\tfrom\tmaps\tsize\tkernel\tactivation\toptions\n"
        "In\tinput\t\t8\t8x8\n"
        "c1\tconv\t\t8\t8x8\t3\tLeaky ReLU (0.1)\n"
        "bn\tBatch normalization\t\t8\t8x8\t\t\tepsilon=1e-5\n"
        "a1\tElementwise add\tbn, In\t8\t8x8\t\tSwish\n"
        "cat\tConcatenation\ta1+In\t16\t8x8\n"
        "f1\tFC\t\t10\t-\n",
        "Net",
    )
    assert complaints(result) == set()
    assert row_of(result, "c1")[3:] == [
        *("8", "8x8", "3x3", "1", "same", "leaky_relu(0.1)"),
    ]
    assert row_of(result, "a1")[:3] == ["a1", "add", "bn,In"]
    assert row_of(result, "cat")[2:5] == ["a1,In", "16", "8x8"]


def test_names_that_mean_different_functions_are_refused_as_in_a_table():
    error = refusal(HEADER + "In,Input,1,8x8\nF1,FC,10,–,–,–,–,GELU\n")
    assert "gelu_erf" in str(error)


def test_layers_without_names_get_them():
    result = import_table("Type,Maps,Size,Kernel\nInput,1,8x8\nConv,4,6x6,3\nFC,10,-\n", "Net")
    assert [line.split()[0] for line in result.text.splitlines()[3:]] == ["layer", "In", "C1", "F2"]


def test_columns_that_say_nothing_of_a_layer_are_left_out_with_a_warning():
    result = import_table("Layer,Type,Maps,Size,Remarks\nIn,Input,1,8x8,grey\n", "Net")
    (warning,) = result.diagnostics
    assert (warning.code, warning.severity) == ("W802", "warning")
    assert "'Remarks'" in warning.message


def test_all_errors_of_a_table_come_at_once_each_at_its_cell():
    error = refusal(
        HEADER + "In,Input,three,227x227\nC1,Convulsion,96,55x55\nC2,Conv,96,55,3by,1,valid,ReLU\n"
        "F1,FC,10,–,–,–,–,rellu\n"
    )
    places = [(d.code, str(d.span), d.row, d.column) for d in error.diagnostics]
    assert places == [
        ("E802", "pasted.csv:2:10", "In", "maps"),
        ("E802", "pasted.csv:3:4", "C1", "type"),
        ("E802", "pasted.csv:4:15", "C2", "kernel"),
        ("E802", "pasted.csv:5:18", "F1", "activation"),
    ]
    assert error.diagnostics[1].fixes[0].message == "did you mean convolution?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("just words", "no table is seen"),
        ("1,2,3\n4,5,6\n", "no row names the table's columns"),
        ("|---|\n", "no row names the table's columns"),
        (HEADER, "no input row"),
        (HEADER + "C1,Conv,4,6x6,3x3,1\n", "no input row"),
        (HEADER + "C1,Conv,4,6x6,3,1\nIn,Input,1,8x8\nC2,Conv,4,6x6,3,1\n", "first or its last"),
        (HEADER + "In,Input,1,8x8\nIn,Conv,4,6x6,3x3,1\n", "another row is called In too"),
        (HEADER + "In,Input,1,8x8\nC1,Conv,4,6x6\n", "needs kernel"),
        (HEADER + "In,Input,1,8x8\nF1,FC,1,000,-,-,-,-,ReLU\n", "has 9 cells"),
        (HEADER + "In,Input,1,8x8\nF1,FC,5,84\n", "the maps say 5 units, and the size says 84"),
        (HEADER + 'In,Input,1,"8x8\n', "cannot be read: unexpected end of data"),
        (HEADER + "In,Input,1,8x8\nN1,LRN,1,8x8\n", "needs alpha, beta, k, its window"),
        ("Layer,Type,Type,Size\nIn,Input,1,8x8\n", "two columns say type"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(text, message):
    error = refusal(text)
    assert {d.code for d in error.diagnostics if d.severity == "error"} == {"E802"}
    assert any(message in d.message for d in error.diagnostics)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a" * (2**20 + 1), "E301"),
        (HEADER + "C1,Conv,4\n" * 10_001, "E302"),
        (HEADER + f"In,Input,{'1' * 500}\n", "E802"),
    ],
)
def test_a_table_larger_than_the_limits_is_refused_by_name(text, code):
    error = refusal(text)
    assert error.code == code
    assert "the limit" in str(error.diagnostics[0].message)


@given(st.text(alphabet='LayerTypInut,|\t\n"-–\\ ×x13:;(', max_size=120))
def test_any_text_is_imported_or_refused_and_never_breaks(text):
    for candidate in (text, HEADER + text, HEADER + "In,Input,1,8x8\n" + text):
        with suppress(CnnError):
            import_table(candidate, "Net")


CELLS = {
    "layer": ["C", "conv ", "1st", "층", "a.b", "#", "x-"],
    "type": ["Convolution", "Max pooling", "평균 풀링", "FC", "ReLU", "Flatten", "GAP", "RBF"],
    "maps": ["–", "1", "1,024", "3 (RGB)", ""],
    "size": ["–", "1", "10", "1,000", "6×6", "8 x 8", "8x8x4", ""],
    "kernel": ["–", "3", "3×3", "(2, 2)", "99"],
    "stride": ["–", "1", "2×1", ""],
    "padding": ["–", "valid", "SAME", "1", "1x0"],
    "activation": ["–", "ReLU", "Softmax", "RBF", "없음"],
    "params": ["–", "1,000", "~5M", ""],
}


@given(
    st.lists(st.fixed_dictionaries({c: st.sampled_from(v) for c, v in CELLS.items()}), min_size=1)
)
def test_what_is_imported_is_a_table_that_only_its_arithmetic_can_refuse(layers):
    rows = [
        list(CELLS),
        ["In", "Input", "4", "8x8", *[""] * 5],
        *map(list, map(dict.values, layers)),
    ]
    for i, row in enumerate(rows[2:]):
        row[0] += str(i)
    text = "\n".join("\t".join(row) for row in rows)
    try:
        table = import_table(text, "Net")
    except CnnError:
        return
    # A printed size may be false or stand where none applies; every word that is written is right.
    assert complaints(table) <= {"E109", "E201", "E202", "E203", "E205", "E206", "E303", "W101"}, (
        table.text
    )
