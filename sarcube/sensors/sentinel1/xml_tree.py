"""XML as ESA writes it, read without trust: no entities, no network, bounded; errors name the element."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import overload

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from sarcube.errors import SarcubeError, SceneError
from sarcube.instants import utc_ns

MAX_XML = 16 << 20  # the largest are orbit files of a day, 4.4 MB
MAX_MARKUP = 1_000_000  # tags and attributes; a tree takes some hundred bytes for each
MAX_LIST = 1 << 20  # characters of one list of numbers
# As all of ESA's files have it; what states an offset is read one by one.
_PLAIN = re.compile(r"(?:UTC=|TAI=)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)Z?")
_EARLIEST, _LATEST = np.datetime64("1990-01-01", "ns"), np.datetime64("2200-01-01", "ns")


class Node:
    """An element together with the file it comes from, so that a missing value can be named.

    Parameters
    ----------
    element : lxml element
    where : str
        File, for messages.
    error : type
        Error to raise: SceneError, OrbitError.
    """

    __slots__ = ("_element", "_error", "where")

    def __init__(self, element: etree._Element, where: str, error: type[SarcubeError] = SceneError) -> None:
        self._element, self.where, self._error = element, where, error

    @property
    def tag(self) -> str:
        return str(etree.QName(self._element).localname)

    def fail(self, what: str) -> SarcubeError:
        """An error that names file and element, to be raised by the caller."""
        return self._error(f"{self.where}: {what} in <{self.tag}>; the file is damaged or not of this kind")

    def find(self, path: str) -> Node:
        """The first element at `path`; it must be there."""
        found = self._element.find(path)
        if found is None:
            raise self.fail(f"no <{path}>")
        return Node(found, self.where, self._error)

    def find_all(self, path: str) -> list[Node]:
        return [Node(found, self.where, self._error) for found in self._element.findall(path)]

    def has(self, path: str) -> bool:
        return self._element.find(path) is not None

    def attribute(self, name: str) -> str | None:
        value = self._element.get(name)
        return None if value is None else str(value)

    def text(self, path: str) -> str:
        """Stripped text of the element at `path`; it must not be empty."""
        text = self._element.findtext(path)
        if text is None or not text.strip():
            raise self.fail(f"no <{path}>")
        return str(text).strip()

    def text_or(self, path: str, default: str) -> str:
        text = self._element.findtext(path)
        return default if text is None else str(text).strip()

    def number(self, path: str, low: float = -np.inf, high: float = np.inf) -> float:
        """A finite number within [low, high]."""
        text = self.text(path)
        try:
            value = float(text)
        except ValueError:
            raise self.fail(f"<{path}> is {text[:40]!r}, not a number") from None
        if not np.isfinite(value) or not low <= value <= high:
            raise self.fail(f"<{path}> is {text[:40]}, outside {low:g} to {high:g}")
        return value

    def integer(self, path: str, low: int, high: int) -> int:
        value = self.number(path, low, high)
        if value != int(value):
            raise self.fail(f"<{path}> is {value}, not a whole number")
        return int(value)

    def time(self, path: str) -> np.datetime64:
        """UTC instant, nanosecond resolution."""
        text = self.text(path)
        try:
            value = utc_ns(text)
        except ValueError:
            value = np.datetime64("NaT", "ns")
        if not _EARLIEST < value < _LATEST:
            raise self.fail(f"<{path}> is {text[:40]!r}, not a time of a Sentinel-1 mission")
        return value

    def columns(self, path: str, keys: Sequence[str], most: int) -> NDArray[np.float64]:
        """Numbers of a repeated element, shape (n, len(keys)): one row for each element at `path`, all finite."""
        elements = self._element.findall(path)
        if len(elements) > most:
            raise self.fail(f"{len(elements)} <{path}>, more than {most}")
        rows = _rows(elements, keys)
        try:
            values = np.array(rows, dtype=np.float64).reshape(len(rows), len(keys))
        except (TypeError, ValueError):
            raise self.fail(f"<{path}> lacks a number among {', '.join(keys)}") from None
        if not np.isfinite(values).all():
            raise self.fail(f"<{path}> holds numbers that are not finite")
        return values

    def times(self, path: str, key: str) -> NDArray[np.datetime64]:
        """UTC instants (n,) of a repeated element: `key` of each element at `path`."""
        texts = [element.findtext(key) or "" for element in self._element.findall(path)]
        matches = [_PLAIN.fullmatch(text.strip()) for text in texts]
        try:
            plain = [match[1] if match else utc_ns(text) for match, text in zip(matches, texts, strict=True)]
            values = np.array(plain, dtype="datetime64[ns]")
        except ValueError:
            raise self.fail(f"a <{path}/{key}> that is not a time") from None
        if not ((values > _EARLIEST) & (values < _LATEST)).all():
            raise self.fail(f"a <{path}/{key}> outside of the mission")
        return values

    def vector(self, path: str, length: int | None = None) -> NDArray[np.float64]:
        """The numbers of a list element, shape (n,); all finite, as many as announced and expected."""
        text = self.text(path)
        if len(text) > MAX_LIST:
            raise self.fail(f"<{path}> has {len(text)} characters")
        values = _numbers(text)
        if values is None:
            raise self.fail(f"<{path}> holds something that is not a number")
        announced = self._element.find(path).get("count")
        expected = length if length is not None else announced
        if expected is not None and str(values.size) != str(expected):
            raise self.fail(f"<{path}> holds {values.size} numbers where {str(expected)[:20]} are announced")
        if not np.isfinite(values).all():
            raise self.fail(f"<{path}> holds numbers that are not finite")
        return values


def _rows(elements: list[etree._Element], keys: Sequence[str]) -> list[list[str | None]]:
    """Texts of the children `keys` of each element; quick where all have the same children in the same order."""
    tags = [child.tag for child in elements[0]] if elements else []
    if not set(keys) <= set(tags) or len(set(tags)) < len(tags):
        return [[element.findtext(key) for key in keys] for element in elements]
    places = [tags.index(key) for key in keys]
    rows: list[list[str | None]] = []
    for element in elements:
        children = list(element)
        if [child.tag for child in children] == tags:
            rows.append([children[place].text for place in places])
        else:
            rows.append([element.findtext(key) for key in keys])
    return rows


def _numbers(text: str) -> NDArray[np.float64] | None:
    """The numbers of a list, None where something else is among them."""
    try:
        values = np.fromstring(text, dtype=np.float64, sep=" ")
    except (ValueError, DeprecationWarning):  # before numpy 2.4 it only warns and stops: the count tells
        return None
    return values if values.size == len(text.split()) else None


def parse_xml(data: bytes, where: str, root: str | None = None, error: type[SarcubeError] = SceneError) -> Node:
    """Parse a document without resolving anything outside of it.

    Parameters
    ----------
    data : bytes
    where : str
        File, for messages.
    root : str, optional
        Local name that the root element must have.
    error : type
        Error to raise.
    """
    if len(data) > MAX_XML:
        raise error(f"{where}: {len(data)} bytes of XML; no Sentinel-1 metadata file is that large")
    if not data.strip(b"\x00 \t\r\n"):
        raise error(f"{where}: is empty; fetch it again")
    # A document type is the door to entity bombs and outside files; ESA's files have none.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise error(f"{where}: declares a document type or entities, which no Sentinel-1 file does; refused")
    if data.count(b"<") > MAX_MARKUP or data.count(b"=") > MAX_MARKUP:
        raise error(f"{where}: holds more than {MAX_MARKUP} tags; no Sentinel-1 metadata file does")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        element = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as cause:
        raise error(f"{where}: is not well-formed XML ({cause}); the file is damaged, fetch it again") from cause
    if element is None:
        raise error(f"{where}: holds no XML element; fetch it again")
    if element.getroottree().docinfo.doctype:  # declared in an encoding that hid it from the test above
        raise error(f"{where}: declares a document type, which no Sentinel-1 file does; refused")
    node = Node(element, where, error)
    if root is not None and node.tag != root:
        raise error(f"{where}: its root is <{node.tag}>, not <{root}>; this is another kind of file")
    return node


@overload
def seconds(times: np.datetime64, epoch: np.datetime64) -> np.float64: ...
@overload
def seconds(times: NDArray[np.datetime64], epoch: np.datetime64) -> NDArray[np.float64]: ...
def seconds(times: np.datetime64 | NDArray[np.datetime64], epoch: np.datetime64) -> np.float64 | NDArray[np.float64]:
    """UTC instants (datetime64[ns], scalar or array) to float64 seconds since `epoch`, exact to the nanosecond."""
    passed = np.asarray(times, dtype="datetime64[ns]") - epoch.astype("datetime64[ns]")
    since: np.float64 | NDArray[np.float64] = passed.astype(np.int64) / 1e9
    return since


def whole_second(time: np.datetime64) -> np.datetime64:
    """The whole second at or before `time`, nanosecond resolution."""
    floor: np.datetime64 = time.astype("datetime64[s]").astype("datetime64[ns]")
    return floor
