"""YAML that others wrote, read in bounded time: the one loader of run files, profiles and definitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from pathlib import Path

import yaml

_LARGEST = 1 << 20  # characters; a run file has a few thousand
_DEEPEST = 32  # a run file is four levels deep


class _Loader(yaml.SafeLoader):
    """Plain values only. Aliases, by which a few hundred bytes stand for gigabytes, and deep nesting are refused."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node; YAMLError for an alias and beyond the depth."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, f"the alias *{event.anchor} is not understood here; write the value out", mark
            )
        if self.depth >= _DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"nested more than {_DEEPEST} levels deep", mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """As any other, but no key may stand twice: the last would win in silence."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} stands here twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> dt.date | str:
    try:
        time: dt.date = loader.construct_yaml_timestamp(node)
    except ValueError:
        return str(node.value)  # like 2024-06-31, which who reads the key can name
    return time


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    try:
        number: int = loader.construct_yaml_int(node)
    except ValueError:  # more digits than Python turns into a number
        return str(node.value)
    return number


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def load_yaml(text: str) -> object:
    """The plain values of a YAML text.

    Raises
    ------
    yaml.YAMLError
        Not YAML, or more than a file of settings needs: an alias, 32 levels, a million characters.
    """
    if len(text) > _LARGEST:
        raise yaml.YAMLError(f"{len(text):,} characters are more than the {_LARGEST:,} that are read")
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise yaml.YAMLError(_words(error)) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        # PyYAML's constructors for binary, sets and the like let Python's own errors through.
        raise yaml.YAMLError(str(error)) from error


def _words(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, and where; not the piece of the text that PyYAML quotes: it may begin amid a password."""
    told = ", ".join(filter(None, (error.context, error.problem)))
    mark = error.problem_mark or error.context_mark
    return f"{told} (line {mark.line + 1}, column {mark.column + 1})" if mark else told


def read_yaml(path: Path) -> object:
    """The plain values of a YAML file, UTF-8 with or without a byte order mark.

    Raises
    ------
    OSError
        The file cannot be read.
    yaml.YAMLError
        As of `load_yaml`; also a file that is not text.
    """
    if path.stat().st_size > 4 * _LARGEST:
        raise yaml.YAMLError(f"{path.stat().st_size:,} bytes are more than a file of settings needs")
    try:
        return load_yaml(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise yaml.YAMLError(f"not text in UTF-8: {error}") from error
