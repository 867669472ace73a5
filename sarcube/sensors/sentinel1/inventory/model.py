"""The value that a search gives: what was found, by mosaic key, what was left out and why."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.aoi import Area, load_aoi
from sarcube.html import PlaceMap
from sarcube.sensors.sentinel1.polarizations import POLARIZATIONS
from sarcube.transfer.problem import Problem

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from sarcube.sensors.sentinel1.inventory.fetch import Fetched

Product = Literal["SLC", "GRD"]
Level = Literal["bursts", "scenes"]
# Half a revolution: what one satellite sees in one direction within it, it sees in one pass.
_PASS = dt.timedelta(minutes=50)
_HERE = "sarcube.sensors.sentinel1.inventory"


class Found(Protocol):
    """What bursts and GRD scenes of a search have in common."""

    @property
    def scene(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def start_time(self) -> dt.datetime: ...
    @property
    def end_time(self) -> dt.datetime: ...
    @property
    def platform(self) -> str: ...
    @property
    def orbit_direction(self) -> str: ...
    @property
    def relative_orbit(self) -> int: ...
    @property
    def polarizations(self) -> tuple[str, ...]: ...
    @property
    def burst_id(self) -> str: ...
    @property
    def footprint(self) -> tuple[tuple[float, float], ...]: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def checksum(self) -> str: ...
    @property
    def file_size(self) -> int: ...


@dataclass(frozen=True, order=True)
class MosaicKey:
    """What can be put together on a map: of one direction, one track (or two that meet at the equator), some channels.

    Attributes
    ----------
    direction : str
        "ascending" or "descending".
    tracks : tuple of int
        In the order in which a pass flies them.
    polarizations : tuple of str
    """

    direction: str
    tracks: tuple[int, ...]
    polarizations: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.direction}_{'+'.join(map(str, self.tracks))}_{''.join(self.polarizations)}"

    def matches(self, text: str) -> bool:
        """Whether each part of a text is of this key: `descending_117_VVVH`, `DESCENDING_VVVH`, `117`."""
        names = {self.direction, "".join(self.polarizations).lower(), "+".join(map(str, self.tracks))}
        names |= {str(track) for track in self.tracks}
        return all(part in names for part in text.lower().split("_"))


@dataclass(frozen=True)
class Pass:
    """What one satellite saw in one go, of one mosaic key."""

    key: MosaicKey
    platform: str
    start: dt.datetime
    found: tuple[Found, ...]

    @property
    def date(self) -> dt.date:
        """The day on which it begins (UTC)."""
        return self.start.date()


@dataclass(frozen=True)
class Exclusion:
    """What `refine` left out, and why.

    Attributes
    ----------
    rule : str
        "double", "marginal track", "incomplete date" or "not on every date".
    subject : str
        A scene, a burst ID, or a mosaic key and its date.
    reason : str
    found : tuple
        The bursts or GRD scenes themselves.
    """

    rule: str
    subject: str
    reason: str
    found: tuple[Found, ...]


@dataclass(frozen=True)
class Inventory:
    """What a source has for an area and dates.

    Attributes
    ----------
    config : RunConfig
        What was asked, as a run would ask it.
    product : "SLC" or "GRD"
    found : tuple
        Bursts of SLC scenes, or GRD scenes: all that meet the area, in the order of place and time.
    excluded : tuple of Exclusion
    notes : tuple of str
        What else is worth knowing: tracks that were joined, rules that could not be applied.
    problems : tuple of Problem
        Scenes that could not be read.
    joined : tuple of tuple of int
        Tracks that are flown in one pass.
    explanation : str
        Why nothing was found, where nothing was.
    """

    config: RunConfig
    product: Product
    found: tuple[Found, ...]
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    joined: tuple[tuple[int, ...], ...] = ()
    explanation: str = ""

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        return (
            f"<Inventory: {len(self.scene_names)} {self.product} scenes, {len(self.keys)} mosaic keys, "
            f"{len(self.excluded)} exclusions>"
        )

    @cached_property
    def area(self) -> Area | None:
        """The area that was asked for."""
        return load_aoi(self.config.aoi)

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """Everything that was found, pass by pass, in the order of keys and times."""
        groups: dict[tuple[MosaicKey, str], list[Pass]] = {}
        for one in sorted(self.found, key=lambda f: f.start_time):
            key = self.key_of(one)
            series = groups.setdefault((key, one.platform), [])
            if series and one.start_time - series[-1].start < _PASS:
                series[-1] = replace(series[-1], found=(*series[-1].found, one))
            else:
                series.append(Pass(key, one.platform, one.start_time, (one,)))
        return tuple(sorted((p for series in groups.values() for p in series), key=lambda p: (p.key, p.start)))

    @cached_property
    def keys(self) -> tuple[MosaicKey, ...]:
        """Mosaic keys of what was found."""
        return tuple(dict.fromkeys(each.key for each in self.passes))

    @cached_property
    def scene_names(self) -> tuple[str, ...]:
        """Names of the scenes, in the order of their times."""
        return tuple(dict.fromkeys(f.scene for f in sorted(self.found, key=lambda f: (f.start_time, f.scene))))

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Days (UTC) on which passes begin."""
        return tuple(sorted({each.date for each in self.passes}))

    def key_of(self, one: Found) -> MosaicKey:
        """The mosaic key of one burst or scene."""
        tracks = next((group for group in self.joined if one.relative_orbit in group), (one.relative_orbit,))
        channels = tuple(p for p in POLARIZATIONS if p in one.polarizations)
        return MosaicKey(one.orbit_direction, tracks, channels)

    def kept(self, test: Callable[[Found], bool]) -> Inventory:
        """The same of what passes a test; what is left out that way is the caller's choice, and no exclusion."""
        return replace(self, found=tuple(f for f in self.found if test(f)))

    def choose(self, key: str | MosaicKey) -> Inventory:
        """What has a mosaic key, or the parts of one: `descending_117_VVVH`, `descending_VVVH`, `117`.

        Raises
        ------
        ConfigError
            Nothing of it was found.
        """
        chosen = {k for k in self.keys if k == key or (isinstance(key, str) and k.matches(key))}
        if not chosen:
            there = ", ".join(map(str, self.keys)) or "nothing"
            raise ConfigError(f"no mosaic key is {key}; found were {there}")
        return self.kept(lambda one: self.key_of(one) in chosen)

    def refine(
        self, *, marginal: bool = True, complete: bool = True, every_date: bool = False, tolerance: float = 0.01
    ) -> Inventory:
        """What is worth making, each exclusion with its reason.

        Parameters
        ----------
        marginal : bool
            Leave out tracks whose part of the area others of their direction and channels cover as well.
        complete : bool
            Leave out dates that cover less of the area than the track's best.
        every_date : bool
            Leave out bursts that are not there on every date that is left.
        tolerance : float
            Share of the area that does not count.
        """
        refined: Inventory = self._call("refine", "refine", marginal, complete, every_date, tolerance)
        return refined

    @property
    def bursts(self) -> gpd.GeoDataFrame:
        """One row for each burst ID: track, direction, channels, dates, share of the area that it covers."""
        return self._call("tables", "frame", "bursts")

    @property
    def scenes(self) -> gpd.GeoDataFrame:
        """One row for each scene; its outline is that of its bursts that meet the area."""
        return self._call("tables", "frame", "scenes")

    @property
    def summary(self) -> pd.DataFrame:
        """One row for each mosaic key: scenes, burst IDs, dates, share of the area."""
        frame: pd.DataFrame = self._call("tables", "summary_frame")
        return frame

    def table(self) -> str:
        """Summary, exclusions and problems as text for a terminal."""
        return str(self._call("tables", "table"))

    def to_json(self) -> str:
        """Everything, as JSON text."""
        return str(self._call("tables", "to_json"))

    def write(self, path: str | Path, level: Level = "bursts") -> Path:
        """Write bursts or scenes: .csv (outlines as WKT), .geojson, or .parquet (GeoParquet), as the name ends.

        Raises
        ------
        ConfigError
            It ends otherwise, or GRD is asked for bursts.
        MissingExtraError
            GeoParquet needs geopandas.
        """
        written: Path = self._call("tables", "write", Path(path), level)
        return written

    def map(self) -> PlaceMap:
        """What was found, what was left out, and the area: for a notebook, or to `save` as a page."""
        drawn: PlaceMap = self._call("tables", "inventory_map")
        return drawn

    def download(self, folder: str | Path, *, progress: bool = True) -> Fetched:
        """Fetch the scenes into a folder, four at a time, going on where an earlier try stopped.

        Raises
        ------
        CredentialError
            The provider wants a login.
        """
        fetched: Fetched = self._call("fetch", "fetch", Path(folder), progress)
        return fetched

    def to_run_file(
        self, path: str | Path | None = None, *, source: str | Path | None = None, **keys: object
    ) -> RunConfig:
        """A run of exactly what was chosen; with `path` also written as a run file.

        Parameters
        ----------
        path : path, optional
        source : path, optional
            Folder that the scenes were downloaded into; by default the source that was searched.
        **keys
            Further keys of the run file, as `dem={...}`, `store="..."`, `workflow="insar"`, `insar={...}`.

        Raises
        ------
        ConfigError
            Nothing was chosen, or a key is wrong.
        """
        run: RunConfig = self._call("to_run", "to_run", None if path is None else Path(path), source, keys)
        return run

    def _repr_html_(self) -> str:
        return str(self._call("tables", "notebook"))

    def _call(self, module: str, name: str, *arguments: object) -> Any:
        # Views and deeds are imported when one is asked for: the value itself is light.
        return getattr(importlib.import_module(f"{_HERE}.{module}"), name)(self, *arguments)


def by_scene(found: Sequence[Found]) -> Mapping[str, tuple[Found, ...]]:
    """What belongs to each scene, in the order of first times."""
    groups: dict[str, list[Found]] = {}
    for one in sorted(found, key=lambda f: (f.start_time, f.scene)):
        groups.setdefault(one.scene, []).append(one)
    return {scene: tuple(group) for scene, group in groups.items()}
