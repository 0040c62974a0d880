"""The words by which books and papers call columns, row types and functions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from cnndsl.ops.function_kind import FunctionKind


class Vocabulary:
    """
    Meanings, each with the words for it, whatever their case, spaces and hyphens.

    >>> words = Vocabulary({"maxpool": ("max pooling", "최대 풀링"), "conv": ("convolution",)})
    >>> words.find("Max-Pooling layer"), words.find("합성곱 (Convolution)"), words.find("LSTM")
    ('maxpool', 'conv', None)
    """

    def __init__(self, words: Mapping[str, tuple[str, ...]]) -> None:
        self._meanings = {word: meaning for meaning in words for word in words[meaning]}
        self._keys = {_key(word): meaning for word, meaning in self._meanings.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._meanings.values()))

    def find(self, text: str) -> str | None:
        """
        What a text is a word for.

        Of `합성곱 (Convolution)` either word is enough; `layer` or `층` at the end adds nothing.
        """
        outer, _, inner = text.partition("(")
        for candidate in (text, outer, inner):
            key = _key(candidate)
            for spelling in (key, re.sub("(layer|층)$", "", key)):
                if spelling in self._keys:
                    return self._keys[spelling]
        return None

    def near(self, text: str) -> list[str]:
        """Up to three words that look like a text, no two of one meaning."""
        near = difflib.get_close_matches(text.lower(), self._meanings, 3)
        return list({self._meanings[word]: word for word in reversed(near)}.values())[::-1]


def parse_function(text: str) -> str:
    """
    The activation function that a cell names, as the language writes it. Raises `ValueRefused`.

    >>> parse_function("하이퍼볼릭 탄젠트"), parse_function("Leaky ReLU (0.1)")
    ('tanh', 'leaky_relu(0.1)')
    """
    known = FUNCTIONS.find(text)
    return known or FunctionKind().parse(re.sub("[ -]+", "_", re.sub(" *\\( *", "(", text)))


def _key(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


COLUMNS = Vocabulary(
    {
        "layer": ("layer", "layer name", "name", "층", "층 이름", "이름", "레이어"),
        "type": (
            "type",
            "layer type",
            "kind",
            "operation",
            "종류",
            "유형",
            "타입",
            "층 종류",
            "연산",
        ),
        "from": ("from", "inputs", "reads", "이전 층"),
        "maps": (
            *("maps", "feature maps", "number of maps", "filters", "channels", "output channels"),
            *("depth", "units", "neurons", "nodes"),
            *(
                "특성맵",
                "특성 지도",
                "특징맵",
                "특성맵 수",
                "맵",
                "필터",
                "필터 수",
                "채널",
                "채널 수",
            ),
            *("유닛", "유닛 수", "뉴런", "뉴런 수"),
        ),
        "size": (
            *("size", "output size", "output", "output shape", "map size", "feature map size"),
            *("크기", "출력 크기", "출력", "맵 크기", "특성맵 크기"),
        ),
        "kernel": (
            *("kernel", "kernel size", "filter size", "window", "window size", "pool size"),
            *("patch size", "커널", "커널 크기", "필터 크기", "윈도", "윈도 크기"),
        ),
        "stride": ("stride", "strides", "step", "스트라이드", "보폭"),
        "padding": ("padding", "pad", "패딩"),
        "dilation": ("dilation", "dilation rate", "dilations", "팽창", "팽창률"),
        "groups": ("groups", "group", "그룹"),
        "activation": (
            *("activation", "activation function", "nonlinearity", "function"),
            *("활성화 함수", "활성화", "활성 함수", "활성함수"),
        ),
        "dropout": ("dropout", "dropout rate", "rate", "드롭아웃", "드롭아웃 비율"),
        "params": (
            *("params", "parameters", "number of parameters", "param count"),
            *("파라미터", "파라미터 수", "매개변수", "매개변수 수", "모델 파라미터"),
        ),
        "macs": ("macs", "mult adds", "multiply adds", "multiply accumulates", "곱셈 누산"),
        "options": ("options", "option", "attributes", "옵션", "속성"),
    }
)

ROW_TYPES = Vocabulary(
    {
        "input": ("input", "input image", "image", "입력", "입력 이미지"),
        "conv": (
            *("convolution", "convolutional", "conv", "conv2d", "2d convolution", "convolution 2d"),
            *("합성곱", "컨볼루션", "콘볼루션", "컨벌루션"),
        ),
        "maxpool": (
            *("max pooling", "max pool", "maxpool2d", "max pooling 2d"),
            *("최대 풀링", "최댓값 풀링", "맥스 풀링"),
        ),
        "avgpool": (
            *("average pooling", "average pool", "avg pooling", "avg pool", "avgpool2d"),
            *("average pooling 2d", "mean pooling", "평균 풀링", "평균값 풀링"),
        ),
        "globalavgpool": (
            *("global average pooling", "global average pool", "global avg pooling"),
            *("global avg pool", "global average pooling 2d", "gap", "전역 평균 풀링"),
        ),
        "globalmaxpool": (
            *("global max pooling", "global max pool", "global max pooling 2d", "전역 최대 풀링"),
        ),
        "subsample": ("subsampling", "subsample", "trainable subsampling", "서브샘플링"),
        "lrn": (
            *(
                "lrn",
                "local response normalization",
                "local response norm",
                "normalization",
                "norm",
            ),
            *("정규화", "지역 응답 정규화", "국소 응답 정규화", "로컬 응답 정규화"),
        ),
        "dropout": ("dropout", "드롭아웃"),
        "flatten": ("flatten", "flattening", "플래튼", "플랫튼", "평탄화", "펼치기"),
        "dense": (
            *("fully connected", "full connection", "fc", "dense", "linear", "inner product"),
            *("완전 연결", "완전 연결망", "전결합", "밀집", "밀집 연결"),
        ),
        "rbf": ("rbf", "euclidean rbf", "gaussian connections", "방사 기저 함수"),
        "add": ("add", "addition", "sum", "elementwise add", "eltwise", "덧셈", "더하기"),
        "mul": ("mul", "multiply", "multiplication", "곱셈", "곱하기"),
        "concat": ("concat", "concatenate", "concatenation", "depth concat", "이어붙이기"),
        "batchnorm": ("batch normalization", "batch norm", "batchnorm2d", "bn", "배치 정규화"),
        "groupnorm": ("group normalization", "group norm", "gn", "그룹 정규화"),
        "instancenorm": ("instance normalization", "instance norm", "인스턴스 정규화"),
        "layernorm": ("layer normalization", "layer norm", "층 정규화"),
        "prelu": ("prelu", "parametric relu"),
    }
)

FUNCTIONS = Vocabulary(
    {
        "relu": ("relu", "rectified linear", "rectified linear unit", "렐루"),
        "tanh": ("tanh", "hyperbolic tangent", "하이퍼볼릭 탄젠트", "쌍곡 탄젠트"),
        "scaled_tanh": ("scaled tanh", "스케일드 탄젠트"),
        "sigmoid": ("sigmoid", "logistic", "시그모이드", "로지스틱"),
        "softmax": ("softmax", "소프트맥스"),
        "linear": ("linear", "none", "identity", "선형", "없음", "항등"),
        "rbf": ("rbf", "euclidean rbf", "방사 기저 함수"),
    }
)

ROW_NAMES = Vocabulary(
    {
        "In": ("in", "input", "입력"),
        "Out": ("out", "output", "출력"),
    }
)
