"""The viewer's page in a headless browser that may reach nothing but this machine."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sarcube.cube.viewer import Viewer, ViewerOptions, open_viewer
from tests.documented import FirstRun

# Whoever comes first waits for the first run, and for kernels to be compiled where they have not been yet.
pytestmark = pytest.mark.timeout(900)

BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "chrome")
VIEW = "map=13/8.2/48.0&low=-18&high=-4&theme=light"
FOREST = (8.2209, 48.0086)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("SARCUBE_BROWSER") or next((p for n in BROWSERS if (p := shutil.which(n))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed, and SARCUBE_BROWSER names none")
    # Every name but the server's address is unknown to this browser: the page works offline or not at all.
    arguments = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, headless=True, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def viewer(tutorial: FirstRun) -> Iterator[Viewer]:
    with open_viewer(str(tutorial.store), ViewerOptions(port=0)) as running:
        yield running


@pytest.fixture
def look(browser: Any, viewer: Viewer) -> Iterator[Callable[..., Any]]:
    """Open the page at a view; fails on any error of the page, and on any request that leaves this machine."""
    context = browser.new_context(viewport={"width": 1000, "height": 640})
    wrong: list[str] = []

    def open_page(view: str = VIEW) -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith((viewer.url, "data:")) else wrong.append(r.url))
        page.goto(f"{viewer.url}#{view}")
        settled(page)
        return page

    yield open_page
    context.close()
    assert wrong == []


def settled(page: Any) -> None:
    """Wait until all tiles of what is wanted are there, and none of what was wanted before."""
    page.wait_for_function("() => document.getElementById('map').dataset.ready === 'yes'", timeout=30_000)


def map_picture(page: Any) -> Any:
    """The middle of the map, (rows, columns, 3)."""
    page.mouse.move(5, 5)
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(float)
    return picture[150:500, 250:650]


def at(page: Any, lon: float, lat: float) -> tuple[float, float]:
    """Pixels of the map where a place is."""
    x, y = page.evaluate(
        "([lon, lat]) => { const p = viewer.map.latLngToContainerPoint([lat, lon]); return [p.x, p.y]; }",
        [lon, lat],
    )
    return x, y


def click_place(page: Any, lon: float, lat: float) -> None:
    x, y = at(page, lon, lat)
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector("#panel[data-ready=yes] #reading table")


def test_map_shows_tiles(look: Callable[..., Any]) -> None:
    page = look()
    picture = map_picture(page)
    assert picture.std() > 15  # land, forest and a lake: not one colour
    assert (np.abs(picture[..., 0] - picture[..., 2]) < 12).mean() > 0.9  # grey
    assert page.locator("path.place").count() == 2
    assert "3 bursts" not in page.locator("#when").inner_text()
    assert page.locator("#when").inner_text().startswith("2024-05-01 04:54")


def test_slider_goes_through_the_passes(look: Callable[..., Any]) -> None:
    page = look()
    first = map_picture(page)
    page.locator("#time").fill("2")
    settled(page)
    assert page.locator("#when").inner_text().startswith("2024-05-25")
    assert "pass=2" in page.url
    assert page.locator("#after").is_disabled()
    third = map_picture(page)
    assert np.abs(first - third).mean() > 5
    page.locator("#before").click()
    settled(page)
    assert page.locator("#when").inner_text().startswith("2024-05-13")


def test_click_gives_the_series(look: Callable[..., Any]) -> None:
    page = look()
    click_place(page, *FOREST)
    lon, lat = (float(v.strip(" °")) for v in page.locator("#place").inner_text().split(","))
    assert (lon, lat) == pytest.approx(FOREST, abs=2e-4)
    rows = page.locator("#reading tbody tr")
    assert rows.count() == 3
    heads = page.locator("#reading thead th").all_inner_texts()
    vh = [float(rows.nth(i).locator("td").nth(heads.index("VH dB")).inner_text()) for i in range(3)]
    assert vh[2] < min(vh[:2]) - 2.5
    assert page.locator("#plot circle").count() == 6
    page.locator("#plot circle").nth(2).click()  # VV of the third pass
    settled(page)
    assert page.locator("#when").inner_text().startswith("2024-05-25")
    with page.context.expect_page() as opened:
        rows.first.locator("a").click()
    item = opened.value
    item.wait_for_load_state()
    assert '"type": "Feature"' in item.content().replace("&quot;", '"')
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()


def test_stretch_and_layers(look: Callable[..., Any]) -> None:
    page = look()
    before = map_picture(page).mean()
    page.locator("#high").fill("6")
    page.locator("#high").press("Enter")
    settled(page)
    assert map_picture(page).mean() < before - 20
    page.locator("#layer").select_option("colour")
    settled(page)
    colour = map_picture(page)
    assert (np.abs(colour[..., 0] - colour[..., 2]) > 12).mean() > 0.3
    page.locator("#layer").select_option("mask")
    settled(page)
    assert page.locator("#low").is_hidden() and page.locator("#stretch").is_hidden()
    assert "layover" in page.locator("#legend").inner_text()


def test_zoom_drag_and_bursts(look: Callable[..., Any]) -> None:
    page = look()
    page.locator("#in").click()
    page.wait_for_url("**map=14/**")
    settled(page)
    before = page.evaluate("() => { const p = viewer.map.containerPointToLatLng([500, 300]); return [p.lng, p.lat]; }")
    page.mouse.move(500, 350)
    page.mouse.down()
    page.mouse.move(380, 350, steps=4)
    page.wait_for_timeout(200)  # held still: let go in the move the map would glide on
    page.mouse.up()
    after = page.evaluate("() => { const p = viewer.map.containerPointToLatLng([500, 300]); return [p.lng, p.lat]; }")
    assert after[0] - before[0] == pytest.approx(120 * 360 / (256 * 2**14), rel=0.05)
    assert page.locator("#panel").is_hidden()  # a drag is no click
    page.locator("#places").uncheck()
    assert page.locator("path.place").count() == 0
    page.locator("#all").click()
    settled(page)


def test_view_is_in_the_address(look: Callable[..., Any]) -> None:
    page = look(f"{VIEW.replace('light', 'dark')}&pass=1&layer=VH&at={FOREST[0]},{FOREST[1]}")
    page.wait_for_selector("#panel[data-ready=yes] #reading table")
    assert page.locator("#layer").input_value() == "VH"
    assert page.locator("#when").inner_text().startswith("2024-05-13")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(22, 27, 34)"


def centre(page: Any) -> tuple[float, float]:
    lon, lat = page.evaluate("() => { const c = viewer.map.getCenter(); return [c.lng, c.lat]; }")
    return lon, lat


def test_keys_work_at_once(look: Callable[..., Any]) -> None:
    """Without a click before: dates, zoom, moving, reading the place in the middle, layers, help."""
    page = look()
    page.keyboard.press(".")
    settled(page)
    assert page.locator("#when").inner_text().startswith("2024-05-13")
    page.keyboard.press("End")
    settled(page)
    page.keyboard.press("PageUp")
    settled(page)
    assert page.locator("#when").inner_text().startswith("2024-05-13")
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("-")
    page.wait_for_url("**map=14/**")
    lon, lat = centre(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    there = centre(page)
    assert there[0] > lon + 0.001 and there[1] > lat + 0.001
    assert page.locator("#cross").is_visible()
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel[data-ready=yes] #reading table")
    told = [float(v.strip(" °")) for v in page.locator("#place").inner_text().split(",")]
    assert told == pytest.approx(there, abs=2e-4)  # longitude first
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()
    page.keyboard.press("l")
    settled(page)
    assert page.locator("#layer").input_value() == "VH"
    page.locator("#low").focus()
    page.keyboard.press(".")  # typed into the field
    assert page.locator("#when").inner_text().startswith("2024-05-13")
    page.locator("#low").blur()
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()


def test_first_view_fits_the_data(look: Callable[..., Any], viewer: Viewer) -> None:
    page = look("theme=light")
    box = page.locator("#map").bounding_box()
    west, south, east, north = viewer.content.describe()["bounds"]
    (left, bottom), (right, top) = at(page, west, south), at(page, east, north)
    assert left >= 0 and top >= 0 and right <= box["width"] and bottom <= box["height"]
    assert max((right - left) / box["width"], (bottom - top) / box["height"]) > 0.45  # one more zoom would not fit


def test_a_box_is_drawn_and_taken_away(look: Callable[..., Any], viewer: Viewer) -> None:
    page = look()
    (x0, y0), (x1, y1) = at(page, 8.2, 48.0), at(page, 8.22, 48.01)
    frame = page.locator("#map").bounding_box()
    page.keyboard.press("b")
    page.mouse.move(frame["x"] + x0, frame["y"] + y0)
    page.mouse.down()
    page.mouse.move(frame["x"] + x1, frame["y"] + y1, steps=4)
    page.mouse.up()
    page.wait_for_selector("#panel[data-ready=yes] #reading table")
    assert page.locator("path.mark").count() == 1
    heads = page.locator("#reading thead th").all_inner_texts()
    pixels = page.locator("#reading tbody tr").first.locator("td").nth(heads.index("pixels")).inner_text()
    assert int(pixels) > 3000
    sides = [float(v) for v in page.url.split("box=")[1].split("&")[0].split(",")]
    assert sides == pytest.approx([8.2, 48.0, 8.22, 48.01], abs=5e-4)
    before = centre(page)
    with page.expect_download() as kept:
        page.locator("#csv").click()
    assert kept.value.suggested_filename.endswith(".csv")
    assert len(open(kept.value.path()).read().splitlines()) == 4  # noqa: PTH123, SIM115
    with page.expect_download() as kept:
        page.locator("#png").click()
    assert kept.value.suggested_filename.endswith(".png")
    assert centre(page) == before  # a box is no drag
    page.keyboard.press("Escape")
    assert page.locator("path.mark").count() == 0


def test_stretch_by_percentiles_and_fixed(look: Callable[..., Any]) -> None:
    page = look("map=13/8.2/48.0&theme=light")
    assert page.locator("#stretch").input_value() == "2"
    low, high = (float(page.locator(i).input_value()) for i in ("#low", "#high"))
    assert -30 < low < -14 and -9 < high < 0
    first = map_picture(page).mean()
    page.locator("#stretch").select_option("5")
    settled(page)
    assert float(page.locator("#low").input_value()) > low
    fixed = page.locator("#stretch option", has_text="-30 to -10 dB").get_attribute("value")
    page.locator("#stretch").select_option(fixed)
    settled(page)
    assert page.locator("#high").input_value() == "-10"
    assert map_picture(page).mean() > first + 10
    assert "-10 dB" in page.locator("#legend").inner_text()
    page.locator("#layer").select_option("number_of_looks")
    settled(page)
    assert page.locator("#legend .ramp").is_visible()
    assert "looks" in page.locator("#legend").inner_text().lower()


def test_a_sign_while_something_is_read(look: Callable[..., Any]) -> None:
    page = look()
    page.route("**/api/series?*", lambda route: (page.wait_for_timeout(300), route.continue_()))
    x, y = at(page, *FOREST)
    frame = page.locator("#map").bounding_box()
    page.mouse.click(frame["x"] + x, frame["y"] + y)
    page.wait_for_selector("#busy:not([hidden])")
    assert "reading series" in page.locator("#busy").inner_text()
    page.wait_for_selector("#panel[data-ready=yes] #reading table")
    page.wait_for_selector("#busy", state="hidden")


@pytest.mark.parametrize(("width", "height"), [(360, 640), (800, 600), (1400, 900)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fits_screens(look: Callable[..., Any], width: int, height: int, theme: str) -> None:
    page = look(f"{VIEW.replace('light', theme)}&at={FOREST[0]},{FOREST[1]}")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_selector("#panel[data-ready=yes] #reading table")
    size = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [width, height]
    for name in ("#layer", "#stretch", "#low", "#high", "#theme", "#in", "#box", "#time", "#after", "#when", "#close"):
        box = page.locator(name).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, name
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, name
    frame = page.locator("#map").bounding_box()
    assert frame["height"] > 0.6 * height
    panel = page.locator("#panel")
    assert panel.evaluate("e => e.scrollWidth <= e.clientWidth")
    dark = np.mean(
        [int(v) for v in page.evaluate("() => getComputedStyle(document.body).backgroundColor")[4:-1].split(",")]
    )
    assert (dark < 60) == (theme == "dark")


@pytest.mark.parametrize("width", [360, 820])
def test_a_place_that_is_read_does_not_lie_under_its_panel(browser: Any, viewer: Viewer, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 640})
    try:
        page = context.new_page()
        page.goto(f"{viewer.url}#theme=light")
        settled(page)
        panel = page.locator("#panel")
        for lon, lat in ((8.2209, 48.0086), (8.25, 47.99), (8.16, 48.01)):
            # As with a click, which may fall on any part of the map that is seen.
            page.evaluate("([x, y]) => viewer.map.fire('click', { latlng: L.latLng(y, x) })", [lon, lat])
            page.wait_for_selector("#panel[data-ready=yes] #reading table")
            settled(page)
            box, seen = panel.bounding_box(), page.locator("#map").bounding_box()
            x, y = at(page, lon, lat)
            x, y = x + seen["x"], y + seen["y"]
            assert seen["x"] <= x <= seen["x"] + seen["width"] and seen["y"] <= y <= seen["y"] + seen["height"]
            inside = box["x"] <= x <= box["x"] + box["width"] and box["y"] <= y <= box["y"] + box["height"]
            assert not inside, (lon, lat)
    finally:
        context.close()
