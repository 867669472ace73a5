"""The further keywords of `open_cube`: what they may be, and what they become."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypedDict

from sarcube.cube.asked import integers_of, texts_of
from sarcube.cube.found import Elsewhere, Store
from sarcube.cube.grouping import Apart
from sarcube.cube.reader import MERGE_RULES, MergeRule
from sarcube.cube.selection import Selection, When, parse_dates
from sarcube.cube.several import Collections
from sarcube.cube.stack import Chunks
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from sarcube.cube.asked import Bbox


class CubeKeywords(TypedDict, total=False):
    """Further keywords of `open_cube`; see there."""

    merge: MergeRule
    apart: Sequence[Apart]
    static: bool | Sequence[str]
    static_store: Store | None
    elsewhere: Elsewhere
    chunks: int | Mapping[str, int]
    collection: Collections
    places: Sequence[str] | None
    burst_ids: Sequence[str] | None
    platforms: Sequence[str] | None
    orbit_direction: str | None
    relative_orbits: Sequence[int] | None


@dataclass(frozen=True)
class CubeOptions:
    """These keywords as they were checked; see there."""

    merge: MergeRule = "first"
    apart: Sequence[Apart] = ()
    static: bool | Sequence[str] = False
    static_store: Store | None = None
    elsewhere: Elsewhere = False
    chunks: int | Mapping[str, int] = 1024
    collection: Collections = None
    places: Sequence[str] | None = None
    burst_ids: Sequence[str] | None = None
    platforms: Sequence[str] | None = None
    orbit_direction: str | None = None
    relative_orbits: Sequence[int] | None = None

    def selection(self, area: Bbox | None, dates: When | Sequence[When] | slice | None) -> Selection:
        """What of a store is opened."""
        if self.places is not None and self.burst_ids is not None:
            raise CubeError("give places, which burst_ids is the old name of, and not both")
        if not isinstance(self.orbit_direction, str | None):
            raise CubeError(f"orbit_direction is ascending or descending, not {self.orbit_direction!r}")
        return Selection(
            bbox=area,
            dates=parse_dates(dates),
            places=texts_of("places", self.burst_ids if self.places is None else self.places),
            platforms=texts_of("platforms", self.platforms),
            orbit_direction=self.orbit_direction,
            relative_orbits=integers_of("relative_orbits", self.relative_orbits),
        )

    @classmethod
    def read(cls, keywords: Mapping[str, Any]) -> CubeOptions:
        """What was asked for, one text for several as well.

        Raises
        ------
        CubeError
            There is no such keyword, or it is of another type.
        """
        known = [f.name for f in fields(cls)]
        for name in keywords:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(known)}"
                raise CubeError(f"open_cube does not know {name!r}{hint}")
        options = cls(**keywords)
        if options.merge not in MERGE_RULES:
            raise CubeError(f"merge is one of {', '.join(MERGE_RULES)}, not {options.merge!r}")
        one = options.collection
        return replace(
            options,
            apart=texts_of("apart", options.apart) or (),  # type: ignore[arg-type]  # grouping knows which there are
            static=options.static if isinstance(options.static, bool) else texts_of("static", options.static) or (),
            elsewhere=options.elsewhere is True or texts_of("elsewhere", options.elsewhere or None) or False,
            collection=one if isinstance(one, str) else texts_of("collection", one),
        )

    def chunk_sizes(self) -> Chunks:
        """Sizes of chunks; CubeError where they are none."""
        given = self.chunks if isinstance(self.chunks, Mapping) else {"y": self.chunks, "x": self.chunks}
        if unknown := set(given) - {"time", "y", "x"}:
            raise CubeError(f"chunks is a size or sizes of time, y, x, not of {', '.join(map(str, sorted(unknown)))}")
        for size in given.values():
            whole = isinstance(size, numbers.Integral) and not isinstance(size, bool)
            if not whole or not (size > 0 or size == -1):
                raise CubeError(f"a chunk has a whole number of steps, rows or columns (-1 is all), not {size!r}")
        return Chunks(*(int(given.get(axis, default)) for axis, default in (("time", 1), ("y", 1024), ("x", 1024))))
