"""Arithmetic over bands that users type: checked against an allow-list of the syntax tree, never evaluated by Python.

An expression is parsed, checked node by node and compiled into a tree of our own small frozen values; what Python's
parser knows beyond that list (calls of other names, attributes of values, subscripts, strings, lambdas) has no value to
become. A missing pixel (NaN) stays missing through comparisons and choices too.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarcube.errors import CubeError

MAX_LENGTH = 1000  # characters
MAX_DEPTH = 32
MAX_NODES = 300
MAX_POWER = 8.0
_MAX_NUMBER = 1e30
_SHOWN = 120

Values = NDArray[np.float64] | np.float64


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Band:
    """A band as it was written: `red`, `band_1`, `pre.VV`."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or operator of the allow-list applied to its operands."""

    name: str
    operands: tuple[Node, ...]


Node = Number | Band | Apply


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression.

    Attributes
    ----------
    text : str
        As written.
    tree : Number, Band or Apply
    """

    text: str
    tree: Node

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands it needs, in the order in which they occur."""
        return tuple(dict.fromkeys(node.name for node in _walk(self.tree) if isinstance(node, Band)))


def parse_expression(text: str) -> Expression:
    """Check an expression and take it apart.

    Raises
    ------
    CubeError
        It is too long or too deep, does not parse, or holds anything that is not arithmetic on bands; the message names
        what.
    """
    if not text.strip():
        raise CubeError("the expression is empty; write one like VV or nd(nir, red)")
    if len(text) > MAX_LENGTH:
        raise CubeError(f"the expression has {len(text)} characters, more than {MAX_LENGTH}; split it over layers")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, on what is refused anyway
            parsed = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise CubeError(f"expression {_short(text)} does not parse: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting beyond the parser's own limit
        raise CubeError(f"expression {_short(text)} does not parse: {type(error).__name__}") from error
    compiler = _Compiler(text)
    return Expression(text.strip(), compiler.compile(parsed.body, 1))


def evaluate(expression: Expression, bands: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
    """Values of an expression.

    Parameters
    ----------
    expression : Expression
    bands : mapping of str to array
        By the names of `expression.bands`, all of one shape; NaN where missing.

    Returns
    -------
    array of float32
        Computed in double precision. NaN where an operand is missing or no finite number results.
    """
    arrays = {name: np.asarray(values, np.float64) for name, values in bands.items()}
    with np.errstate(all="ignore"):
        out = np.asarray(_value(expression.tree, arrays), np.float64)
        if arrays and out.ndim == 0:
            out = np.broadcast_to(out, next(iter(arrays.values())).shape)
        narrow: NDArray[np.float32] = out.astype(np.float32)
        return np.where(np.isfinite(narrow), narrow, np.float32(np.nan))


def _value(node: Node, bands: Mapping[str, Values]) -> Values:
    if isinstance(node, Number):
        return np.float64(node.value)
    if isinstance(node, Band):
        return bands[node.name]
    return _TABLE[node.name][1](*(_value(operand, bands) for operand in node.operands))


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for operand in node.operands if isinstance(node, Apply) else ():
        yield from _walk(operand)


def _compared(test: Callable[[Values, Values], object]) -> Callable[[Values, Values], Values]:
    """1 or 0; missing where an operand is."""

    def compare(a: Values, b: Values) -> Values:
        return np.where(np.isnan(a) | np.isnan(b), np.nan, np.asarray(test(a, b), np.float64))

    return compare


def _where(condition: Values, yes: Values, no: Values) -> Values:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, yes, no))


def _db(power: Values) -> Values:
    return 10.0 * np.log10(np.where(power > 0, power, np.nan))


def _nd(a: Values, b: Values) -> Values:
    return (a - b) / (a + b)


def _stretch(x: Values, low: Values, high: Values) -> Values:
    return np.clip((x - low) / (high - low), 0.0, 1.0)


def _least(*operands: Values) -> Values:
    out = operands[0]
    for operand in operands[1:]:
        out = np.minimum(out, operand)  # NaN wins, unlike in fmin
    return out


def _greatest(*operands: Values) -> Values:
    out = operands[0]
    for operand in operands[1:]:
        out = np.maximum(out, operand)
    return out


# Name: (fewest and most operands, what computes it).
FUNCTIONS: dict[str, tuple[tuple[int, int], Callable[..., Values]]] = {
    "where": ((3, 3), _where),
    "min": ((2, 8), _least),
    "max": ((2, 8), _greatest),
    "log10": ((1, 1), np.log10),
    "sqrt": ((1, 1), np.sqrt),
    "abs": ((1, 1), np.abs),
    "db": ((1, 1), _db),
    "nd": ((2, 2), _nd),
    "stretch": ((3, 3), _stretch),
}
_OPERATORS: dict[type[ast.AST], tuple[str, Callable[..., Values]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Pow: ("**", np.power),
    ast.Lt: ("<", _compared(operator.lt)),
    ast.LtE: ("<=", _compared(operator.le)),
    ast.Gt: (">", _compared(operator.gt)),
    ast.GtE: (">=", _compared(operator.ge)),
    ast.Eq: ("==", _compared(operator.eq)),
    ast.NotEq: ("!=", _compared(operator.ne)),
    ast.USub: ("negative", operator.neg),
    ast.UAdd: ("positive", operator.pos),
}
_TABLE = FUNCTIONS | {name: ((1, 2), call) for name, call in _OPERATORS.values()}
_LOGIC = "multiply conditions (both), take max of them (either), or 1 - condition (not)"
_INSTEAD: dict[type[ast.AST], str] = {
    ast.BoolOp: f"and, or: {_LOGIC}",
    ast.BitAnd: f"&: {_LOGIC}",
    ast.BitOr: f"|: {_LOGIC}",
    ast.BitXor: f"^ is no power: write **, or {_LOGIC}",
    ast.Invert: f"~: {_LOGIC}",
    ast.Not: f"not: {_LOGIC}",
    ast.IfExp: "if ... else: write where(condition, yes, no)",
    ast.Subscript: "[...]: name bands like band_1",
}


class _Compiler:
    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes = 0

    def compile(self, node: ast.AST, depth: int) -> Node:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise self._refuse(f"it is nested deeper than {MAX_DEPTH} or has more than {MAX_NODES} parts")
        if isinstance(node, ast.Constant | ast.Name | ast.Attribute):
            return self._leaf(node)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return Apply(_OPERATORS[type(node.op)][0], (self.compile(node.operand, depth + 1),))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = self.compile(node.left, depth + 1), self.compile(node.right, depth + 1)
            if isinstance(node.op, ast.Pow):
                self._check_power(right)
            return Apply(_OPERATORS[type(node.op)][0], (left, right))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        what = node.op if isinstance(node, ast.BinOp | ast.UnaryOp) else node
        raise self._refuse(_INSTEAD.get(type(what), f"{type(what).__name__} is not allowed"))

    def _leaf(self, node: ast.Constant | ast.Name | ast.Attribute) -> Node:
        if isinstance(node, ast.Constant):
            return self._number(node.value)
        if isinstance(node, ast.Name):
            return Band(node.id)
        if isinstance(node.value, ast.Name):
            return Band(f"{node.value.id}.{node.attr}")  # a name with a point in it: nothing is looked up in anything
        raise self._refuse("only input.band has a point")

    def _number(self, value: object) -> Number:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(f"{_short(repr(value))} is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not abs(number) <= _MAX_NUMBER:
            raise self._refuse(f"numbers lie within {_MAX_NUMBER:g}")
        return Number(number)

    def _check_power(self, exponent: Node) -> None:
        if isinstance(exponent, Apply) and exponent.name == "negative":
            exponent = exponent.operands[0]
        if not isinstance(exponent, Number) or abs(exponent.value) > MAX_POWER:
            raise self._refuse(f"an exponent is a number from -{MAX_POWER:g} to {MAX_POWER:g}")

    def _comparison(self, node: ast.Compare, depth: int) -> Node:
        sides = [node.left, *node.comparators]
        tests: list[Node] = []
        for i, op in enumerate(node.ops):
            if type(op) not in _OPERATORS:
                raise self._refuse(f"{type(op).__name__} is not allowed")
            # What stands between two signs is computed for both and counts for both: chains within chains double.
            pair = self.compile(sides[i], depth + 1), self.compile(sides[i + 1], depth + 1)
            tests.append(Apply(_OPERATORS[type(op)][0], pair))
        whole = tests[0]
        for test in tests[1:]:  # 0 < x < 1 holds where both do
            whole = Apply("*", (whole, test))
        return whole

    def _call(self, node: ast.Call, depth: int) -> Node:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise self._refuse(f"there is no function {name or ast.unparse(node.func)[:40]!r}")
        if node.keywords:
            raise self._refuse(f"{name} takes its operands by position")
        fewest, most = FUNCTIONS[name][0]
        if not fewest <= len(node.args) <= most:
            raise self._refuse(f"{name} takes {fewest if fewest == most else f'{fewest} to {most}'} operands")
        return Apply(name, tuple(self.compile(argument, depth + 1) for argument in node.args))

    def _refuse(self, why: str) -> CubeError:
        return CubeError(
            f"expression {_short(self.text)}: {why}. It may have bands, numbers, + - * / **, comparisons, "
            f"{', '.join(FUNCTIONS)}"
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
