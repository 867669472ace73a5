"""Opens a simulated archive that was written before."""

from __future__ import annotations

import json
from pathlib import Path

from sarcube.errors import ConfigError
from sarcube.simulate.archive import Archive


def open_archive(directory: str | Path) -> Archive:
    """The archive in a folder, as `simulate` returned it.

    Raises
    ------
    ConfigError
        The folder holds no whole archive.
    """
    directory = Path(directory)
    description = directory / "simulation.json"
    try:
        facts = json.loads(description.read_text())
        return Archive(
            directory=directory,
            scenes=tuple(directory / "scenes" / name for name in facts["scenes"]),
            orbits=directory / "orbits",
            dem=directory / "dem.tif",
            truth=directory / "truth",
            description=description,
            dates=tuple(facts["dates"]),
            burst_ids=tuple(facts["burst_ids"]),
            polarizations=tuple(facts["covers"][0]["gamma0"][0]),
            epsg=int(facts["epsg"]),
            bbox=tuple(facts["bbox"]),
            covers=tuple(cover["name"] for cover in facts["covers"]),
            terrain=facts["terrain"],
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError(f"{directory} holds no whole archive ({error}); remove it and simulate again") from error
