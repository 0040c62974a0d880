"""Darknet's networks compute here what its C code computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_darknet import Stream, read_cfg, run_darknet
from safetensors.numpy import load_file

import cnndsl
from cnndsl.errors import CnnError
from cnndsl.interop.darknet.cfg import parse_cfg
from cnndsl.interop.darknet.graph import darknet_network
from cnndsl.source import Source

NET = "[net]\nwidth={width}\nheight={height}\nchannels={maps}\nlearning_rate=0.001\n"


def section(kind, **options):
    return "".join([f"[{kind}]\n", *(f"{name}={value}\n" for name, value in options.items())])


def conv(filters, size=1, **options):
    return section("convolutional", filters=filters, size=size, **options)


def network_text(*sections, width=9, height=8, maps=3):
    return "\n".join([NET.format(width=width, height=height, maps=maps), *sections])


def imported(folder, text, stream, version=(0, 2, 0)):
    (folder / "net.cfg").write_text(text)
    (folder / "net.weights").write_bytes(stream.content(version))
    return cnndsl.from_darknet(folder / "net.cfg", folder / "net.weights")


def images(text, seed=1):
    options = read_cfg(text)[0][1]
    shape = [int(options[name]) for name in ("channels", "height", "width")]
    return np.random.default_rng(seed).uniform(0, 1, shape)


def assert_same(folder, text, outputs=(-1,), version=(0, 2, 0)):
    """Our network's output is that of those sections of Darknet's."""
    x, stream = images(text), Stream()
    results = run_darknet(text, x, stream)
    found = imported(folder, text, stream, version)
    y = cnndsl.compile(found.network, found.weights, target="reference")(x.transpose(1, 2, 0))
    for place, output in zip(outputs, y if isinstance(y, tuple) else (y,), strict=True):
        expected = results[place]
        turned = output.transpose(2, 0, 1) if output.ndim == 3 else output.reshape(expected.shape)
        # The variance is rounded to float32 once more, after epsilon has gone under the root.
        np.testing.assert_allclose(turned, expected, rtol=1e-5, atol=2e-6)
    return found


# ---- sections


@pytest.mark.parametrize(
    "tested",
    [
        conv(4, 3, pad=1, activation="leaky"),
        conv(4, 3, stride=2, pad=1, batch_normalize=1, activation="mish"),
        conv(6, 3, padding=2, groups=3, activation="linear"),
        conv(4, 2, pad=1, batch_normalize=1),
        section("maxpool", size=2, stride=2),
        section("maxpool", size=2, stride=1),
        section("maxpool", size=3, stride=2),
        section("maxpool", size=5, stride=1),
        section("maxpool", stride=2),
        section("maxpool", size=3, stride=2, padding=0),
        section("avgpool"),
        section("upsample", stride=2),
        section("upsample", stride=3),
        section("connected", output=5, activation="relu"),
        section("connected", output=5, batch_normalize=1, activation="tanh"),
        section("softmax", groups=1),
        section("avgpool") + section("softmax"),
        section("connected", output=5) + section("softmax") + section("cost", type="sse"),
        section("connected", output=6) + section("dropout", probability=".5"),
    ],
)
def test_a_section_computes_what_darknet_does(tmp_path, tested):
    assert_same(tmp_path, network_text(tested))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_reorg_deals_cells_out_as_darknet_s_code_does(tmp_path, stride):
    maps = 2 * stride**2
    text = network_text(section("reorg", stride=stride), width=6, height=12, maps=maps)
    assert_same(tmp_path, text)


def test_routes_and_shortcuts_count_sections(tmp_path):
    text = network_text(
        conv(4, 3, pad=1, activation="leaky"),
        conv(4, activation="leaky"),
        section("shortcut", **{"from": -2}, activation="relu"),
        section("route", layers=-2),
        conv(6, activation="linear"),
        section("route", layers="-1, 0,2"),
        section("route", layers="-1", groups=2, group_id=1),
        conv(2, activation="linear"),
    )
    assert_same(tmp_path, text)


def test_what_each_yolo_section_decodes_is_an_output(tmp_path):
    text = network_text(
        conv(4, 3, pad=1, batch_normalize=1, activation="leaky"),
        section("maxpool", size=2, stride=2),
        conv(5, activation="linear"),
        section("yolo", mask="0,1", anchors="10,14, 23,27", classes=1),
        section("route", layers=-3),
        section("upsample", stride=2),
        conv(3, activation="linear"),
        section("yolo", mask="0", anchors="10,14", classes=1),
        width=8,
    )
    assert_same(tmp_path, text, outputs=(2, 6))


def test_the_output_of_one_yolo_section_is_an_image(tmp_path):
    text = network_text(conv(5, activation="linear"), section("region", classes=1))
    assert assert_same(tmp_path, text).network["conv1"].shape == (8, 9, 5)


@pytest.mark.parametrize("version", [(0, 1, 0), (0, 2, 0), (0, 2, 5), (1, 0, 0)])
def test_the_header_depends_on_the_version(tmp_path, version):
    assert_same(tmp_path, network_text(conv(2, 3, activation="leaky")), version=version)


@st.composite
def stacks(draw):
    """Sections behind each other, each of which reads the one before."""
    kinds = st.sampled_from(["conv", "conv", "pool", "up", "route", "shortcut"])
    sections = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(kinds)
        if kind == "conv":
            made = conv(
                2 * draw(st.integers(1, 3)),
                draw(st.integers(1, 3)),
                stride=draw(st.integers(1, 2)),
                pad=1,
                batch_normalize=draw(st.integers(0, 1)),
                activation=draw(st.sampled_from(["leaky", "linear", "relu", "mish"])),
            )
        elif kind == "pool":
            made = section("maxpool", size=draw(st.integers(1, 3)), stride=draw(st.integers(1, 2)))
        elif kind == "up":
            made = section("upsample", stride=2)
        elif kind == "route" and sections:
            made = section("route", layers="-1,-1")
        elif sections:
            made = section("shortcut", **{"from": -1}, activation="leaky")
        else:
            continue
        sections.append(made)
    return network_text(*(sections or [conv(2)]), maps=2)


@given(text=stacks())
def test_stacks_of_sections_compute_what_darknet_does(tmp_path_factory, text):
    assert_same(tmp_path_factory.mktemp("net"), text)


# ---- the whole of YOLO v3 tiny


def yolo_v3_tiny():
    leaky = {"pad": 1, "batch_normalize": 1, "activation": "leaky"}
    halves = section("maxpool", size=2, stride=2)
    backbone = [part for maps in (16, 32, 64, 128) for part in (conv(maps, 3, **leaky), halves)]
    yolo = section("yolo", mask="0,1,2", anchors=",".join("9" * 12), classes=80, num=6)
    boxes = conv(255, pad=1, activation="linear") + yolo
    return network_text(
        *backbone,
        conv(256, 3, **leaky),
        halves,
        conv(512, 3, **leaky),
        section("maxpool", size=2, stride=1),
        conv(1024, 3, **leaky),
        conv(256, 1, **leaky),
        conv(512, 3, **leaky),
        boxes,
        section("route", layers=-4),
        conv(128, 1, **leaky),
        section("upsample", stride=2),
        section("route", layers="-1, 8"),
        conv(256, 3, **leaky),
        boxes,
        width=416,
        height=416,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """YOLO v3 tiny's files with random numbers."""
    folder = tmp_path_factory.mktemp("yolo")
    text = yolo_v3_tiny()
    (folder / "tiny.cfg").write_text(text)
    slots = darknet_network(parse_cfg(Source("tiny.cfg", text))).slots
    stream = Stream()
    for slot in slots:
        positive = slot.param in ("mean", "variance") or slot.layer.endswith("norm")
        stream.take(*slot.shape, low=0.5 if positive else None)
    (folder / "tiny.weights").write_bytes(stream.content())
    return folder


@pytest.mark.slow
def test_yolo_v3_tiny_s_cfg_and_our_spec_compute_the_same(cli, tiny):
    done = cli(
        "import", "darknet", tiny / "tiny.cfg", "--weights", tiny / "tiny.weights", "-o", "a.cnn"
    )
    assert (done.status, done.out) == (0, "")
    arguments = [tiny / "tiny.weights", "--cfg", tiny / "tiny.cfg", "--for", "yolo_v3_tiny"]
    assert cli("import", "weights", *arguments, "-o", "b.safetensors").status == 0
    x = np.random.default_rng(0).uniform(0, 1, (1, 416, 416, 3)).astype(np.float32)
    ours = cnndsl.compile("yolo_v3_tiny", "b.safetensors")(x)
    theirs = cnndsl.compile("a.cnn", "a.safetensors")(x)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.peers
@pytest.mark.slow
def test_yolo_v3_tiny_computes_what_opencv_reads_of_the_same_files(tiny):
    cv2 = pytest.importorskip("cv2")
    net = cv2.dnn.readNetFromDarknet(str(tiny / "tiny.cfg"), str(tiny / "tiny.weights"))
    x = np.random.default_rng(0).uniform(0, 1, (1, 3, 416, 416)).astype(np.float32)
    net.setInput(x)
    # The convolutions before the two yolo sections, 16 and 23, whose outputs OpenCV would decode.
    expected = net.forward(["conv_15", "conv_22"])
    found = cnndsl.from_darknet(tiny / "tiny.cfg", tiny / "tiny.weights")
    outputs = cnndsl.compile(found.network, found.weights)(x.transpose(0, 2, 3, 1))
    for y, other in zip(outputs, expected, strict=True):
        close = 1e-4 * np.abs(other).max()
        np.testing.assert_allclose(y.transpose(0, 3, 1, 2), other, rtol=1e-3, atol=close)


# ---- what is refused


def refused(text):
    with pytest.raises(CnnError) as caught:
        darknet_network(parse_cfg(Source("net.cfg", text)))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"E806"}
    return str(caught.value)


def test_every_section_that_no_row_computes_is_named_with_its_line():
    message = refused(network_text(section("crnn"), conv(2), section("gru")))
    assert "net.cfg:7:1: error[E806]: [crnn]: no row computes it" in message
    assert "net.cfg:13:1: error[E806]: [gru]: no row computes it" in message


@pytest.mark.parametrize(
    ("tested", "message"),
    [
        (conv(2, 3, sway=1), "net.cfg:10:1: error[E806]: [convolutional]: no row has sway=1"),
        (conv(2, "three"), "net.cfg:9:1: error[E806]: [convolutional]: size=three is not a whole"),
        (conv(2, ""), "net.cfg:9:1: error[E806]: [convolutional]: size= is not a whole number"),
        (conv(2, activation="loggy"), "[convolutional]: no row has the activation loggy"),
        (conv(2, xnor=1), "[convolutional]: no row has xnor"),
        (conv(4, groups=2), "3 input maps do not divide into 2 groups"),
        (conv(4, 30), "a 30x30 window does not fit into 8x9"),
        (section("route", layers="-3"), "[route]: there is no section -3 before it"),
        (section("route", layers="0"), "[route]: there is no section 0 before it"),
        (section("route", layers="0,x"), "layers=0,x is not whole numbers separated by commas"),
        (conv(4) + section("route", layers=-1, groups=3), "4 maps have no group 0 of 3"),
        (conv(4) + conv(5) + section("shortcut", **{"from": -2}), "tensors of different shapes"),
        (section("upsample", scale="0.5"), "[upsample]: rows only repeat cells"),
        (section("softmax", groups=2), "[softmax]: no row takes a softmax over groups"),
        (section("reorg", stride=2), "8x9 with 3 maps cannot be dealt out by 2"),
        ("no section, no option", "neither [section] nor option=value: no section, no option"),
        (conv(4) + section("yolo") + conv(5), "no output depends on conv2"),
    ],
)
def test_what_no_row_can_say_is_refused(tested, message):
    assert message in refused(network_text(tested))


def test_a_text_that_is_no_network_is_refused():
    assert "does not begin with [net]" in refused(conv(2))
    assert "height, width and channels must be given" in refused("[net]\nwidth=8\n" + conv(2))


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_a_network_or_a_planned_error(line, value):
    try:
        darknet_network(parse_cfg(Source("net.cfg", network_text(line, conv(2, value)))))
    except CnnError:
        return


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:10], "too short"),
        (lambda content: content[:-4], "it has 29 numbers, and the sections of the .cfg need 30"),
        (lambda content: content + b"\0" * 8, "it has 32 numbers"),
        (lambda content: b"\xff" * 4 + content[4:], "no header of Darknet's"),
    ],
)
def test_a_stream_of_other_numbers_is_refused(cli, tmp_path, change, message):
    text = network_text(conv(3, 3), maps=1)
    (tmp_path / "net.cfg").write_text(text)
    stream = Stream()
    run_darknet(text, images(text), stream)
    (tmp_path / "net.weights").write_bytes(change(stream.content()))
    done = cli("import", "darknet", "net.cfg", "--weights", "net.weights", "-o", "net.cnn")
    assert done.status == 1
    assert message in done.err
    assert not (tmp_path / "net.cnn").exists()


# ---- the command line


def test_the_table_is_printed_or_written_with_the_weights_beside_it(cli, tmp_path):
    text = network_text(conv(3, 3, batch_normalize=1, activation="leaky"))
    stream = Stream()
    run_darknet(text, images(text), stream)
    (tmp_path / "small.cfg").write_text(text)
    (tmp_path / "small.weights").write_bytes(stream.content())
    table = cli("import", "darknet", "small.cfg").out
    row = next(line for line in table.splitlines() if line.startswith("conv1"))
    assert " ".join(row.split()) == "conv1 conv 3 6x7 3x3 1 valid batch(1e-06) leaky_relu(0.1)"
    done = cli("import", "darknet", "small.cfg", "--weights", "small.weights", "-o", "out.cnn")
    assert (done.status, done.out) == (0, "")
    assert (tmp_path / "out.cnn").read_text() == table
    assert sorted(load_file("out.safetensors"))[0] == "conv1.norm.bias"
    assert cli("check", "out.cnn").status == 0


def test_weights_without_a_table_to_write_are_refused(cli, tmp_path):
    (tmp_path / "small.cfg").write_text(network_text(conv(3)))
    done = cli("import", "darknet", "small.cfg", "--weights", "small.weights")
    assert done.status == 1
    assert "weights are written beside the table" in done.err
