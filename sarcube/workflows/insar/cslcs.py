"""Pairs of geocoded SLCs that others have made and published (OPERA CSLC-S1): `source.kind: cslc`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import BurstNotFoundError, GridError, SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.bytes_source import ByteOpener
from sarcube.sensors.sentinel1.cslc.product import Cslc
from sarcube.sensors.sentinel1.cslc.samples import CslcRows, open_rows
from sarcube.sensors.sentinel1.search.cslc import grid_of_burst, open_cslc
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from sarcube.workflows.insar.passes import Seen
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.making import dem_of

if TYPE_CHECKING:
    from sarcube.engines.insar.fine import FineGrid
    from sarcube.engines.insar.options import InsarOptions
    from sarcube.engines.insar.timing import Overlap
    from sarcube.sensors.sentinel1.model import Burst

_MARGIN_M = 1000.0


@dataclass(frozen=True, eq=False)
class CslcPair:
    """Both dates of a pair.

    Attributes
    ----------
    first, second : Cslc
    warnings : tuple of str
        What was done otherwise than the run asks for.
    """

    first: Cslc
    second: Cslc
    warnings: tuple[str, ...]

    @property
    def bursts(self) -> tuple[Burst, Burst]:
        return self.first.burst, self.second.burst

    def options(self, asked: InsarOptions) -> InsarOptions:
        """The engine's options as the files were made."""
        return replace(asked, **self.first.corrections)

    def fine(self, grid: GeoGrid) -> FineGrid:
        """The files' samples over a product's grid.

        Raises
        ------
        GridError
            A pixel does not hold a whole number of them.
        """
        from sarcube.engines.insar.fine import FineGrid

        own = self.first.grid
        down, across = grid.resolution / own.step, grid.resolution / own.resolution
        if min(down, across) < 1 - 1e-6 or max(abs(down - round(down)), abs(across - round(across))) > 1e-6:
            raise GridError(
                f"{self.first.burst.scene}: pixels of {grid.resolution:g} m hold no whole number of samples of "
                f"{own.resolution:g} m by {own.step:g} m; choose another insar.posting"
            )
        return FineGrid(grid, round(down), round(across))

    @property
    def facts(self) -> dict[str, object]:
        """What the products' items say of it, beside the engine's own."""
        both = self.first, self.second
        bandwidth, window = self.first.azimuth_band
        return {
            "geocoding": f"{self.first.interpolation} ({self.first.made_by})",
            "source_products": " and ".join(dict.fromkeys(c.made_by for c in both)),
            "source_dem": " and ".join(dict.fromkeys(c.dem for c in both if c.dem)),
            "source_scenes": [c.scene for c in both],
            "source_corrections": list(self.first.further),
            "azimuth_band_taken_for_looks": f"{bandwidth:g} Hz, Hamming {window:g}, as of all IPF products",
        }


def open_pair(found: tuple[FoundBurst, FoundBurst], polarization: str, config: RunConfig) -> CslcPair:
    """Both dates of a pair, without their samples.

    Raises
    ------
    SceneError
        A file cannot be read, or the two were made so that their phases do not fit together.
    """
    first, second = (_open(one, polarization) for one in found)
    said = _made_alike(first, second)
    asked = config.section(InsarSection).corrections
    if other := [name for name, done in first.corrections.items() if getattr(asked, name) != done]:
        said.append(
            f"insar.corrections are those that the CSLCs were made with: {', '.join(other)} "
            f"{'is' if len(other) == 1 else 'are'} not as the run asks for"
        )
    if unknown := [name for name in type(asked).model_fields if name not in first.corrections]:
        said.append(
            f"the CSLCs do not tell whether they were made with {', '.join(unknown)}; as the run asks for is taken"
        )
    return CslcPair(first, second, tuple(said))


@contextmanager
def samples_on(pair: CslcPair, polarization: str, fine: FineGrid) -> Iterator[tuple[CslcRows, CslcRows]]:
    """The samples of both dates on a fine grid, to be read as arrays are, by rows.

    Raises
    ------
    GridError
        They lie between those of the fine grid.
    SceneError
        A file cannot be read.
    """
    grid, (down, across) = fine.grid, fine.spacing
    height, width = fine.shape
    wanted = GeoGrid(grid.epsg, grid.left, grid.top, across, width, height, 0.0 if down == across else down)
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(open_rows(cslc, polarization, wanted, _opener(cslc)))
            for cslc in (pair.first, pair.second)
        )
        yield one, two


def grid_of_files(config: RunConfig, place: str) -> GeoGrid:
    """The grid of a burst ID that has no products yet: the box of its files, grown to multiples of the posting.

    OPERA's files of one burst ID all have one box, that of its burst database.

    Raises
    ------
    GridError
        The run asks for another CRS than the files have.
    BurstNotFoundError
        No file of the burst can be read any more.
    """
    own = grid_of_burst(config, place)
    if own is None:
        raise BurstNotFoundError(f"no file of {place} can be read any more; plan the run again")
    if config.grid.crs not in ("auto", own.epsg):
        raise GridError(f"the CSLCs of {place} lie on {own.crs}, grid.crs asks for {config.grid.crs}: leave it out")
    return GeoGrid.snapped(own.epsg, own.bounds, config.resolution)


def observe_geocoded(
    a: Seen, b: Seen, polarization: str, config: RunConfig, options: InsarOptions
) -> tuple[Overlap | None, float]:
    """What the overlap of two neighbouring bursts says of the azimuth timing, and the line interval."""
    from sarcube.engines.insar.timing import Geocoded, observe_overlap, overlap_grid
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.terrain.dem import load_dem

    posting = config.section(InsarSection).posting
    one, two = (open_pair(found, polarization, config) for found in (a, b))
    epsg, interval = one.first.grid.epsg, one.first.burst.radar.line_interval
    grid = overlap_grid(one.first.burst, two.first.burst, epsg, posting)
    if grid is None:
        return None, interval
    dem = load_dem(dem_of(config), grid_lonlat_bounds(grid, _MARGIN_M), 10.0, footprint=None)
    fine = one.fine(grid)
    with samples_on(one, polarization, fine) as here, samples_on(two, polarization, fine) as there:
        seen = Geocoded(fine, here, there)
        asked = one.options(options)
        return observe_overlap(one.bursts, two.bursts, epsg, posting, dem, asked, seen), interval


def _open(found: FoundBurst, polarization: str) -> Cslc:
    return open_cslc(found.path).narrowed((polarization,))


def _opener(cslc: Cslc) -> ByteOpener | None:
    from sarcube.transfer.remote import open_remote

    return open_remote if any("://" in c.samples.path for c in cslc.burst.channels.values()) else None


def _made_alike(first: Cslc, second: Cslc) -> list[str]:
    """Refuse two files whose phases do not fit together; say what may not."""
    other = [
        name for name in first.corrections
        if name in second.corrections and first.corrections[name] != second.corrections[name]
    ]  # fmt: skip
    if other:
        raise SceneError(
            f"{first.burst.scene} and {second.burst.scene}: one was made with {', '.join(other)} and one without, so "
            "that they do not lie on each other; choose two that were made alike"
        )
    said = []
    if set(first.further) != set(second.further):
        odd = sorted(set(first.further) ^ set(second.further))
        said.append(f"only one of the two CSLCs was corrected for {', '.join(odd)}: parts of a sample between them")
    if first.dem != second.dem:
        said.append(
            f"the CSLCs name different terrain ({first.dem or 'none'}; {second.dem or 'none'}): where heights differ, "
            "so does the phase"
        )
    return said
