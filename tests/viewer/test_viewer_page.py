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
VIEW = "map=13/48.0/8.2&low=-18&high=-4&theme=light"
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
    page.wait_for_function(
        "() => { const l = document.querySelectorAll('#map .tiles'); if (l.length !== 1) return false;"
        " const t = [...l[0].querySelectorAll('img')];"
        " return t.length > 0 && t.every(i => i.complete && i.naturalWidth === 256); }",
        timeout=30_000,
    )


def map_picture(page: Any) -> Any:
    """The middle of the map, (rows, columns, 3)."""
    page.mouse.move(5, 5)
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(float)
    return picture[150:500, 250:650]


def click_place(page: Any, lon: float, lat: float) -> None:
    x, y = page.evaluate("([lon, lat]) => map.at(lon, lat)", [lon, lat])
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector("#panel[data-ready=yes] #reading table")


def test_map_shows_tiles(look: Callable[..., Any]) -> None:
    page = look()
    picture = map_picture(page)
    assert picture.std() > 15  # land, forest and a lake: not one colour
    assert (np.abs(picture[..., 0] - picture[..., 2]) < 12).mean() > 0.9  # grey
    assert page.locator(".overlay .place").count() == 2
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
    lat, lon = (float(v.strip(" °")) for v in page.locator("#place").inner_text().split(","))
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
    page.keyboard.press("Tab")
    page.locator("#close").click()
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
    assert (
        page.locator("#low").is_hidden()
        or page.locator("label.stretch").first.evaluate("e => getComputedStyle(e).visibility") == "hidden"
    )


def test_zoom_drag_and_bursts(look: Callable[..., Any]) -> None:
    page = look()
    page.locator("#in").click()
    settled(page)
    assert "map=14/" in page.url
    before = page.evaluate("() => map.place(500, 300)")
    page.mouse.move(500, 350)
    page.mouse.down()
    page.mouse.move(380, 350, steps=4)
    page.mouse.up()
    after = page.evaluate("() => map.place(500, 300)")
    assert after[0] - before[0] == pytest.approx(120 * 360 / (256 * 2**14), rel=0.05)
    assert page.locator("#panel").is_hidden()  # a drag is no click
    page.locator("#places").uncheck()
    assert page.locator(".overlay .place").count() == 0
    page.locator("#all").click()
    settled(page)


def test_view_is_in_the_address(look: Callable[..., Any]) -> None:
    page = look(f"{VIEW.replace('light', 'dark')}&pass=1&layer=VH&at={FOREST[0]},{FOREST[1]}")
    page.wait_for_selector("#panel[data-ready=yes] #reading table")
    assert page.locator("#layer").input_value() == "VH"
    assert page.locator("#when").inner_text().startswith("2024-05-13")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(22, 27, 34)"
