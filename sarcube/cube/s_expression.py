"""S-expressions as COMBI-Plus of the Geohazards platform takes them, in words of our own expressions.

`(interp v1 (asarray -15 5) (asarray 0 1))` becomes `stretch(v1, -15, 5)`. What has no equivalent is refused with the
nearest there is.
"""

from __future__ import annotations

import ast
import re
import warnings

from sarcube.cube.expression import MAX_DEPTH, MAX_LENGTH
from sarcube.errors import CubeError

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_INFIX = {"+": "+", "-": "-", "*": "*", "/": "/", "**": "**", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=="}
_CALLS = {
    "where": "where", "minimum": "min", "maximum": "max", "min": "min", "max": "max", "log10": "log10", "sqrt": "sqrt",
    "abs": "abs", "norm_diff": "nd", "nd": "nd", "db": "db", "stretch": "stretch",
}  # fmt: skip
_INSTEAD = {
    "mean": "a mean over all pixels is not allowed; profiles stretch by percentiles",
    "percentile": "use --profile percentile",
    "asarray": "a list stands in interp only",
    "clip": "use min(max(x, low), high)",
    "band": "name the band: band_1",
    "read": "name the band: band_1",
}
Tree = str | list["Tree"]


def is_s_expression(text: str) -> bool:
    """Whether a text is in prefix form: a parenthesis, an operator or name, a blank; and no infix form as well."""
    if len(text) > MAX_LENGTH or not re.match(r"\s*\(\s*([-+*/<>=]+|[A-Za-z_]\w*)\s+[^\s]", text):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, on what is refused anyway
            ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return True
    except (ValueError, RecursionError, MemoryError):
        return False
    return False


def translated(text: str) -> str:
    """The same in infix form.

    Raises
    ------
    CubeError
        Parentheses do not match, or a function has no equivalent; the message says what to write instead.
    """
    if len(text) > MAX_LENGTH:
        raise CubeError(f"the expression has {len(text)} characters, more than {MAX_LENGTH}; split it over layers")
    tokens = _TOKEN.findall(text)
    stack: list[list[Tree]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
            if len(stack) > MAX_DEPTH:
                raise CubeError(f"expression {text[:80]!r} is nested deeper than {MAX_DEPTH}")
        elif token == ")":
            if len(stack) == 1:
                raise CubeError(f"expression {text[:80]!r} has a closing parenthesis too many")
            whole = stack.pop()
            stack[-1].append(whole)
        else:
            stack[-1].append(token)
    if len(stack) != 1 or len(stack[0]) != 1:
        raise CubeError(f"expression {text[:80]!r} is no s-expression: parentheses do not match")
    return _infix(stack[0][0], text)


def _infix(tree: Tree, text: str) -> str:
    if isinstance(tree, str):
        if _NUMBER.fullmatch(tree) or _NAME.fullmatch(tree):
            return tree
        raise CubeError(f"expression {text[:80]!r}: {tree!r} is neither a band nor a number")
    if not tree or not isinstance(tree[0], str):
        raise CubeError(f"expression {text[:80]!r}: a parenthesis begins with an operator or a function")
    name, operands = tree[0], tree[1:]
    if name == "interp":
        return _interp(operands, text)
    written = [_infix(operand, text) for operand in operands]
    if name in _INFIX and len(written) >= 2:
        return "(" + f" {_INFIX[name]} ".join(written) + ")"
    if name == "-" and len(written) == 1:
        return f"(-{written[0]})"
    if name in _CALLS:
        return f"{_CALLS[name]}({', '.join(written)})"
    instead = _INSTEAD.get(name, f"functions are {', '.join(sorted(set(_CALLS)))} and interp")
    raise CubeError(f"expression {text[:80]!r}: {name!r} has no equivalent; {instead}")


def _interp(operands: list[Tree], text: str) -> str:
    """`(interp x (asarray a b) (asarray c d))` is linear between two points and flat beyond, as numpy's interp."""
    lists = [o[1:] for o in operands[1:] if isinstance(o, list) and o and o[0] == "asarray"]
    if len(operands) != 3 or [len(one) for one in lists] != [2, 2]:
        raise CubeError(
            f"expression {text[:80]!r}: interp is translated between two points, "
            "(interp v1 (asarray -15 5) (asarray 0 1)); write where(...) for more"
        )
    (low, high), (first, last) = ([_infix(one, text) for one in points] for points in lists)
    stretched = f"stretch({_infix(operands[0], text)}, {low}, {high})"
    if re.fullmatch(r"[-+]?0*\.?0*", first) and re.fullmatch(r"\+?0*1\.?0*", last):
        return stretched
    return f"({first} + ({last} - ({first})) * {stretched})"
