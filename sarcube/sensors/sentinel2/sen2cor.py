"""ESA's sen2cor, where the user has it: run on an L1C, its output checked before it is used.

It is no part of this package and of no package index; `L2A_Process` of sen2cor 2.10 and later takes a SAFE folder and
`--output_dir`. Its local output has baseline 99.99 or the like.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from sarcube.errors import ConfigError, SceneError
from sarcube.sensors.sentinel2.model import Scene
from sarcube.sensors.sentinel2.scene import open_scene

_LIMIT_S = 4 * 3600
_TAIL = 600  # characters of what it said last


def check_program(program: Path) -> None:
    """Raise ConfigError where there is no such program."""
    if shutil.which(str(program)) is None:
        raise ConfigError(f"sentinel2.sen2cor {program} is no program that can be run; name L2A_Process")


def run_sen2cor(scene: Scene, program: Path, limit_s: float = _LIMIT_S) -> Scene:
    """Make the L2A of an L1C beside it, in a folder `<name>_L2A`; one that is there already is taken.

    Raises
    ------
    SceneError
        The program failed, took too long, or made no L2A of this tile and time.
    """
    folder = Path(scene.path).parent / f"{scene.name}_L2A"
    ready = _made(folder, scene)
    if ready is not None:
        return ready
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(program), "--output_dir", str(folder), str(_unpacked(scene, folder))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise SceneError(f"{scene.path}: {program.name} took longer than {limit_s:g} s; run it by hand") from error
    except OSError as error:
        raise SceneError(f"{scene.path}: {program} cannot be run: {error.strerror or error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-_TAIL:]
        raise SceneError(f"{scene.path}: {program.name} ended with {done.returncode}: {said}")
    ready = _made(folder, scene)
    if ready is None:
        raise SceneError(f"{scene.path}: {program.name} ended well and made no L2A of {scene.tile} in {folder}")
    return ready


def _made(folder: Path, scene: Scene) -> Scene | None:
    for path in sorted(folder.glob("*_MSIL2A_*.SAFE")) if folder.is_dir() else ():
        made = open_scene(path)
        if (made.level, made.tile, made.start, made.platform) == ("L2A", scene.tile, scene.start, scene.platform):
            return made
    return None


def _unpacked(scene: Scene, folder: Path) -> Path:
    """The L1C as a folder, which is all that sen2cor takes."""
    source = Path(scene.path)
    if source.is_dir():
        return source
    target = folder / f"{scene.name}.SAFE"
    if not target.is_dir():
        with zipfile.ZipFile(source) as archive:
            for member in archive.namelist():
                inside = (folder / member).resolve()
                if not str(inside).startswith(str(folder.resolve()) + os.sep):
                    raise SceneError(f"{scene.path}: {member} leads out of the archive; refused")
            archive.extractall(folder)
    return target
