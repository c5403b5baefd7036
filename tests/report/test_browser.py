"""The HTML file in a real browser: quiet, offline, complete without scripts, on every width and in every scheme."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.report import html
from tests.report import data

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(data.view()), encoding="utf-8")
    return path


def opened(browser: Any, path: Path, **options: Any) -> tuple[Any, list[str], list[str]]:
    page = browser.new_page(**options)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, said, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_loads_nothing_complains_about_nothing_and_fits(
    chromium: Any, report: Path, width: int, scheme: str
) -> None:
    view = {"width": width, "height": 900}
    page, said, asked = opened(chromium, report, viewport=view, color_scheme=scheme)
    assert asked == [report.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_it_is_complete_without_scripts(chromium: Any, report: Path) -> None:
    page, said, _ = opened(chromium, report, java_script_enabled=False)
    for row in data.view().rows:
        assert page.get_by_text(row.change).count() > 0
    assert page.locator("svg").count() > 30
    assert said == []
    page.close()


def test_folded_rows_open_with_the_keyboard(chromium: Any, report: Path) -> None:
    page, _, _ = opened(chromium, report)
    second = page.locator("details").nth(1)
    assert not second.get_attribute("open")
    second.locator("summary").focus()
    page.keyboard.press("Enter")
    assert second.get_attribute("open") is not None
    page.close()


def test_print_unfolds_every_row(chromium: Any, report: Path) -> None:
    page, _, _ = opened(chromium, report)
    page.emulate_media(media="print")
    visible = page.evaluate(
        "[...document.querySelectorAll('details .body')].filter(e => e.checkVisibility() && e.offsetHeight > 0).length"
    )
    assert visible == 25
    page.close()


@pytest.mark.parametrize("payload", ["<script>document.title='pwned'</script>", '"><img src=x onerror=alert(1)>'])
def test_payloads_do_nothing(chromium: Any, tmp_path: Path, payload: str) -> None:
    path = tmp_path / "poisoned.html"
    path.write_text(html.render(data.poisoned(payload)), encoding="utf-8")
    page, said, asked = opened(chromium, path)
    assert asked == [path.as_uri()]
    assert said == []
    assert "pwned" not in page.title().replace(payload, "")
    assert page.locator("script, img").count() == 0
    page.close()
