"""From an inventory to a run of exactly what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.sensors.sentinel1.inventory.model import Inventory
from sarcube.sensors.sentinel1.inventory.tables import headline
from sarcube.text_file import write_text


def to_run(inventory: Inventory, path: Path | None, source: str | Path | None, keys: Mapping[str, object]) -> RunConfig:
    """See `Inventory.to_run_file`."""
    if not inventory.found:
        raise ConfigError(f"no run file: {headline(inventory)}")
    raw = _chosen(inventory)
    if source is not None:
        where = str(source) if "://" in str(source) else str(Path(source).expanduser().resolve())
        raw["source"] = {**_narrowing(inventory), "kind": "local", "path": where}
    elif inventory.config.source.kind != "local":
        raw["orbits"] = {"kind": "aws"}
    if "source" in keys:
        raise ConfigError("the source is what was searched; give the folder of downloaded scenes as source=")
    raw |= {key: str(value) if isinstance(value, Path) else value for key, value in keys.items()}
    config = RunConfig.from_dict(raw, base=Path.cwd(), origin="to_run_file")
    if path is not None:
        # What was said: defaults are the reader's to look up, and absolute paths are true from anywhere.
        said = config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        said = {"workflow": config.workflow, **{key: value for key, value in said.items() if value != {}}}
        write_text(path, _heading(inventory) + yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=200))
    return config


def _chosen(inventory: Inventory) -> dict[str, object]:
    raw = inventory.config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    raw["workflow"] = inventory.config.workflow
    raw["source"] = {**raw["source"], "kind": inventory.config.source.kind, **_narrowing(inventory)}
    return raw


def _narrowing(inventory: Inventory) -> dict[str, object]:
    """Keys of a source that name what was chosen: a scene belongs to one date, a burst ID to one track."""
    directions = {one.orbit_direction for one in inventory.found}
    named: dict[str, object] = {
        "relative_orbits": sorted({one.relative_orbit for one in inventory.found}),
        "scenes": list(inventory.scene_names),
    }
    if len(directions) == 1:
        named["orbit_direction"] = directions.pop()
    if inventory.product == "SLC":
        named["burst_ids"] = sorted({one.burst_id for one in inventory.found})
    return named


def _heading(inventory: Inventory) -> str:
    lines = [f"From a search: {headline(inventory)}"]
    lines += [f"left out: {e.subject}: {e.rule}: {e.reason}" for e in inventory.excluded]
    return "".join(f"# {line}\n" for line in lines)
