"""The page in a real browser: Chromium, headless, on a computer's screen and on a phone's."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

pytest.importorskip("selenium", reason="selenium is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SCREENS = {"computer": (1280, 900), "phone": (390, 844)}
WAIT = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "jointtask", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.kill()


@pytest.fixture(params=SCREENS)
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    width, height = SCREENS[request.param]
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if request.param == "phone":
        screen = {"width": width, "height": height, "pixelRatio": 1.0}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": screen})
    else:
        options.add_argument(f"--window-size={width},{height}")
    opened = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield opened
        assert not opened.get_log("browser")  # no error of the script, nothing that the page may not load
    finally:
        opened.quit()


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photographs") / "two cups.png"
    cup = Image.fromarray(skimage.data.coffee()).resize((300, 200))
    both = Image.new("RGB", (600, 200))
    both.paste(cup, (0, 0))
    both.paste(cup, (300, 0))
    both.save(path)
    return path


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not until():
        assert time.monotonic() < end, "the page did not change"
        time.sleep(0.05)


def said(browser: Any) -> str:
    return str(browser.find_element(By.ID, "say").text)


def after(browser: Any, act: Callable[[], Any]) -> str:
    """Do something that asks the server, and return what the page says of the answer."""
    before = browser.execute_script("return turn")
    act()
    wait(lambda: browser.execute_script("return turn") > before and said(browser) != "Working \u2026")
    return said(browser)


def picture(browser: Any) -> Any:
    """The cut-out that would be downloaded, RGBA."""
    url = browser.find_element(By.ID, "save").get_attribute("href")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image)


def marks(browser: Any) -> list[str | None]:
    """Return the numbers of the boxes that are drawn on the picture."""
    script = "return [...document.querySelectorAll('.mark')].map((mark) => mark.dataset.number)"
    numbers: list[str | None] = browser.execute_script(script)
    return numbers


def fits(browser: Any) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"))


def drag(browser: Any, corners: tuple[float, float, float, float]) -> None:
    """Drag a box, given as shares of the picture."""
    stage = browser.find_element(By.ID, "stage")
    width, height = stage.size["width"], stage.size["height"]
    x1, y1, x2, y2 = (round(share * side) for share, side in zip(corners, (width, height) * 2, strict=True))
    pointer = ActionChains(browser).move_to_element_with_offset(stage, x1 - width // 2, y1 - height // 2)
    pointer.click_and_hold().move_by_offset(x2 - x1, y2 - y1).release().perform()


def test_the_whole_path(browser: Any, address: str, photograph: Path) -> None:
    browser.get(address)
    file, stage = browser.find_element(By.ID, "file"), browser.find_element(By.ID, "stage")
    assert "Expected overlap" in after(browser, lambda: file.send_keys(str(photograph)))
    assert picture(browser).shape == (200, 600, 4)
    assert fits(browser)
    for view in ("photo", "mask", "uncertainty", "cutout"):
        browser.find_element(By.CSS_SELECTOR, f"[data-view={view}]").click()
        wait(lambda: browser.execute_script("return document.getElementById('shown').naturalWidth") == 600)
    assert browser.find_element(By.ID, "save").get_attribute("download") == "two cups-cutout.png"

    after(browser, lambda: drag(browser, (0.55, 0.02, 0.98, 0.98)))
    boxed = picture(browser)[..., 3]
    assert boxed[:, 330:].sum() > 0.98 * boxed.sum() > 0
    assert marks(browser) == [None]
    left = (-stage.size["width"] // 4, 0)
    pointer = ActionChains(browser).move_to_element_with_offset(stage, *left)
    after(browser, pointer.click().perform)
    assert picture(browser)[100, 150, 3] == 255
    again = browser.find_element(By.ID, "again")
    after(browser, again.click)
    assert not again.is_displayed()

    white = Select(browser.find_element(By.ID, "background"))
    after(browser, lambda: white.select_by_visible_text("white"))
    assert picture(browser).shape == (200, 600, 3)
    after(browser, browser.find_element(By.ID, "crop").click)
    assert picture(browser).shape[1] < 600
    assert fits(browser)


def test_several_objects(browser: Any, address: str, photograph: Path) -> None:
    browser.get(address)
    after(browser, lambda: browser.find_element(By.ID, "file").send_keys(str(photograph)))
    assert not browser.find_element(By.ID, "found").is_displayed()
    count = Select(browser.find_element(By.ID, "objects"))
    after(browser, lambda: count.select_by_visible_text("up to 3"))
    buttons = browser.find_elements(By.CSS_SELECTOR, "#found button")
    assert said(browser).startswith(("One object found. ", f"{len(buttons)} objects found. "))
    browser.find_element(By.CSS_SELECTOR, "[data-view=photo]").click()
    assert marks(browser) == [str(n + 1) for n in range(len(buttons))]
    pictures = []
    for button in buttons:
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        pictures.append(picture(browser)[..., 3] >= 128)
    assert all(part.any() for part in pictures)
    assert sum(part.astype(int) for part in pictures).max() == 1
    assert fits(browser)
    # a box asks for one object, whatever the number
    after(browser, lambda: drag(browser, (0.05, 0.02, 0.45, 0.98)))
    assert not browser.find_element(By.ID, "found").is_displayed()


def test_what_is_no_photograph_is_told(browser: Any, address: str, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    browser.get(address)
    file = browser.find_element(By.ID, "file")
    assert after(browser, lambda: file.send_keys(str(tmp_path / "broken.png")))
    assert browser.find_element(By.ID, "say").get_attribute("class") == "wrong"
    assert not browser.find_element(By.ID, "work").is_displayed()
    browser.get_log("browser")  # Chromium notes the answer's status
