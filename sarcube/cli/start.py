"""Commands for the first minutes: simulate, demo, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from sarcube.cli.output import JSON, echo, echo_json


def doctor(as_json: bool = JSON) -> None:
    """Tell what works here, what is missing, and how to get it.

    Example: sarcube doctor
    """
    from sarcube.production.doctor import examine

    checks = examine()
    if as_json:
        echo_json([check.as_dict() for check in checks])
    else:
        for check in checks:
            sign = {True: "ok", False: "MISSING", None: "-"}[check.ok]
            echo(f"{sign:8}{check.name:22}{check.detail}")
            if not check.ok and check.advice:
                echo(f"{'':30}{check.advice}")
    raise typer.Exit(0 if all(check.ok is not False for check in checks) else 2)


def simulate(
    directory: Path = typer.Argument(..., help="folder to fill; must not hold an archive"),
    template: list[Path] = typer.Option([], "--template", help="real SAFE (without samples) to fill; once per date"),
    dem: Path = typer.Option(None, "--dem", help="heights above the ellipsoid; none: fractal terrain"),
    center: str = typer.Option("8.2,48.0", "--center", help="longitude,latitude of the bursts (own orbit)"),
    direction: str = typer.Option("descending", "--direction", help="ascending or descending"),
    dates: str = typer.Option("2024-05-01,2024-05-13,2024-05-25", "--dates", help="days, comma-separated"),
    platform: str = typer.Option("S1A", "--platform", help="S1A, S1B, S1C or S1D"),
    product: str = typer.Option(
        "SLC", "--product", help="SLC; GRD: detected, in ground range; SLSTR: a Sentinel-3 granule with fires"
    ),
    mode: str = typer.Option("IW", "--mode", help="with --product GRD: IW (10 m cells) or EW (40 m cells)"),
    swaths: str = typer.Option("IW1,IW2", "--swaths", help="sub-swaths, comma-separated"),
    bursts: str = typer.Option("2", "--bursts", help="bursts per sub-swath; with --template indices like 0,1"),
    polarizations: str = typer.Option("VV,VH", "--polarizations", help="VV,VH or HH,HV or one"),
    aoi: str = typer.Option(None, "--aoi", help="west,south,east,north: only this part gets an echo"),
    crop: bool = typer.Option(False, "--crop", help="narrow the swaths to the AOI (small files; own orbit)"),
    truth: str = typer.Option("demo", "--truth", help="demo, checkerboard or constant"),
    relief: float = typer.Option(110.0, "--relief", help="fractal terrain: standard deviation, metres"),
    no_noise: bool = typer.Option(False, "--no-noise", help="no thermal noise in the echo"),
    coherent: bool = typer.Option(False, "--coherent", help="the same scatterers on every date: for interferograms"),
    baselines: str = typer.Option(None, "--baselines", help="coherent: perpendicular baseline per date, metres: 0,90"),
    along_track_error: float = typer.Option(0.0, "--along-track-error", help="coherent: orbits of later dates, metres"),
    displacement: str = typer.Option("none", "--displacement", help="coherent: none, ramp, mogi or fault"),
    displacement_metres: float = typer.Option(0.06, "--displacement-metres", help="its highest value on the last date"),
    coherence: str = typer.Option(None, "--coherence", help="coherent: over 12 days, one value or two for squares"),
    screen: float = typer.Option(0.0, "--screen", help="coherent: troposphere, standard deviation at zenith, metres"),
    correlation: str = typer.Option("0", "--correlation", help="coherent: of both polarizations, like 0.3 or 0.2+0.1j"),
    no_delays: bool = typer.Option(False, "--no-delays", help="no atmosphere and bistatic delay in the echo"),
    format: str = typer.Option("folder", "--format", help="folder or zip"),
    seed: int = typer.Option(1, "--seed", help="the same seed gives the same archive"),
    as_json: bool = JSON,
) -> None:
    """Write a simulated Sentinel-1 archive with its known truth.

    SAFEs, orbit files and DEM as a provider delivers them, and the gamma0 of every date; with --coherent also the phase
    and coherence of dates that follow each other.

    Example: sarcube simulate archive --aoi=8.12,47.95,8.28,48.05 --crop

    Example: sarcube simulate detected --product GRD --dates 2024-05-01 --swaths IW2 --aoi=8.18,47.99,8.22,48.01 --crop

    Example: sarcube simulate granules --product SLSTR

    Example: sarcube simulate pair --coherent --aoi=8.17,47.98,8.23,48.02 --crop --dates 2024-05-01,2024-05-13
    --baselines=0,90 --displacement mogi

    Example: sarcube simulate archive --template S1A_IW_SLC__...SAFE --dem dem.tif --swaths IW1 --bursts 0,1
    """
    import datetime as dt

    from sarcube.cli.output import bounding_box
    from sarcube.errors import ConfigError
    from sarcube.simulate.archive import simulate as write_archive
    from sarcube.simulate.options import SimulationOptions

    try:
        longitude, latitude = (float(v) for v in center.split(","))
        days = tuple(dt.date.fromisoformat(d.strip()) for d in dates.split(","))
        indices = [int(b) for b in bursts.split(",")]
        across = tuple(float(v) for v in baselines.split(",")) if baselines else ()
        alike = tuple(float(v) for v in coherence.split(",")) if coherence else ()
        between = complex(correlation.replace(" ", ""))
    except ValueError as error:
        raise ConfigError(
            f"--center, --dates, --bursts, --baselines, --coherence or --correlation: {error}; "
            "see sarcube simulate --help"
        ) from error
    if product.upper() == "SLSTR":
        from sarcube.simulate.slstr import SlstrOptions, simulate_slstr

        granule = simulate_slstr(directory, SlstrOptions(center=(longitude, latitude), seed=seed))
        facts = {"granule": str(granule.path), "fires": len(granule.fires)}
        echo_json(facts) if as_json else echo(f"{facts['fires']} fires in {facts['granule']}")
        return
    options = SimulationOptions(
        center=(longitude, latitude),
        direction=direction,  # type: ignore[arg-type]
        dates=days,
        platforms=(platform,),
        product=product.upper(),  # type: ignore[arg-type]
        mode=mode.upper(),  # type: ignore[arg-type]
        swaths=tuple(swaths.upper().split(",")),
        bursts=indices[0] if len(indices) == 1 and not template else tuple(indices),
        polarizations=tuple(polarizations.upper().split(",")),
        template=tuple(template) if template else None,
        dem=dem,
        aoi=bounding_box(aoi),
        crop=crop,
        truth=truth,  # type: ignore[arg-type]
        relief=relief,
        coherent=coherent,
        baselines=across,
        along_track_error=along_track_error,
        displacement=displacement,  # type: ignore[arg-type]
        displacement_metres=displacement_metres,
        coherence=alike,
        screen=screen,
        correlation=between,
        noise=not no_noise,
        delays=not no_delays,
        format=format,  # type: ignore[arg-type]
        seed=seed,
    )
    archive = write_archive(directory, options)
    if as_json:
        echo_json(asdict(archive))
        return
    if archive.burst_ids:
        echo(f"{len(archive.scenes)} scenes of {len(archive.burst_ids)} bursts ({', '.join(archive.burst_ids)})")
    else:
        echo(f"{len(archive.scenes)} GRD scenes")
    for path, what in (
        (archive.scenes[0].parent, "scenes"),
        (archive.orbits, "orbit files"),
        (archive.dem, f"DEM, heights above the ellipsoid: {archive.terrain}"),
        (archive.truth, "the known truth"),
    ):
        echo(f"   {path}  {what}")


def demo(
    directory: Path = typer.Argument(Path("demo"), help="folder to fill"),
    as_json: bool = JSON,
) -> None:
    """Simulate an archive, produce it, draw it, measure the error.

    Example: sarcube demo demo
    """
    from sarcube.production.demo.run import run_demo

    report = run_demo(directory, echo=lambda line: echo(line, err=as_json))
    if as_json:
        echo_json(report)


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command()(simulate)
    app.command()(demo)
    app.command()(doctor)
