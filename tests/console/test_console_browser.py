"""The console in a real browser: what a person sees and does. Skipped, by name, where there is no Chromium or no built front end."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright
from tests.console.fake_warehouse import DASHBOARDS, FakeWarehouse

from nearshift.console import ConsoleServer, create_app
from nearshift.console.assets import STATIC

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]
BOARD = "/dashboards/customer_transactions"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


def executable() -> str | None:
    """Return the machine's Chromium."""
    named = os.environ.get("NEARSHIFT_CHROMIUM")
    return named or next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = executable()
    if path is None:
        pytest.skip("NOT TESTED IN A BROWSER: no chromium on this machine (apt-get install chromium, or set NEARSHIFT_CHROMIUM)")
    if not (STATIC / "index.html").is_file():
        pytest.skip("NOT TESTED IN A BROWSER: the front end is not built (python scripts/build_console.py)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        found.close()


class Place:
    """A served console with a dashboard folder of its own, and one page that keeps count of what it should not do."""

    def __init__(
        self, browser: Browser, warehouse: FakeWarehouse, folder: Path, scheme: Literal["light", "dark"] = "light"
    ) -> None:
        self.warehouse = warehouse
        self.folder = folder
        self.server = ConsoleServer(create_app(warehouse, folder), port=0)
        self.server.start()
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.documents = 0
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        self.documents += request.resource_type == "document"
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.strangers.append(request.url)

    def open(self, path: str) -> Page:
        self.page.goto(self.server.url + path)
        return self.page

    def tile(self, name: str) -> Locator:
        return self.page.locator(f"[data-tile='{name}']")

    def close(self) -> None:
        self.context.close()
        self.server.stop()


@pytest.fixture
def place(browser: Browser, warehouse: FakeWarehouse, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "dashboards"
    shutil.copytree(DASHBOARDS, folder)
    found = Place(browser, warehouse, folder)
    yield found
    found.close()
    assert found.complaints == [], "the browser has nothing to complain of"
    assert found.strangers == [], "nothing is asked of anyone but the console"


def transactions(place: Place) -> int:
    return int(place.tile("pivot").locator("tfoot td.total").inner_text().replace(",", ""))


def test_tiles_change_without_a_reload_when_a_commit_comes(place: Place) -> None:
    place.open(BOARD)
    expect(place.page.locator(".live-text")).to_contain_text("live")
    expect(place.tile("top-providers").locator("canvas")).to_be_visible()
    place.tile("pivot").get_by_label("Measure").select_option("transactions")
    expect(place.tile("pivot").locator("tfoot td.total")).to_have_text("400")
    first = place.tile("latest").locator("tbody tr").first.inner_text()
    place.warehouse.tick(25)
    expect(place.tile("pivot").locator("tfoot td.total")).to_have_text("425")
    assert place.tile("latest").locator("tbody tr").first.inner_text() != first
    expect(place.page.locator(".fresh")).to_have_text(re.compile(r"fresh \d+\.\d s"))
    expect(place.page.locator(".live time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    assert place.documents == 1


def test_pausing_stops_the_changes_and_going_on_catches_up(place: Place) -> None:
    place.open(BOARD)
    place.tile("pivot").get_by_label("Measure").select_option("transactions")
    expect(place.tile("pivot").locator("tfoot td.total")).to_have_text("400")
    place.page.get_by_role("button", name="Pause").click()
    expect(place.page.locator(".live")).to_have_class(re.compile("paused"))
    place.warehouse.tick(10)
    place.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert transactions(place) == 400
    place.page.get_by_role("button", name="Go on").click()
    expect(place.tile("pivot").locator("tfoot td.total")).to_have_text("410")


def test_a_pivot_is_rearranged_by_dragging_and_keeps_its_shape_in_the_address(place: Place) -> None:
    place.open(BOARD)
    pivot = place.tile("pivot")
    expect(pivot.locator("thead th").first).to_have_text("Provider")
    pivot.locator("[data-dimension=event_name]").drag_to(pivot.locator("[data-well=rows]"))
    expect(pivot.locator("thead th").nth(1)).to_have_text("Event")
    pivot.locator("[data-dimension=hour]").drag_to(pivot.locator("[data-well=columns]"))
    pivot.locator("[data-dimension=provider]").drag_to(pivot.locator("[data-well=shelf]"))
    expect(pivot.locator("tbody th[scope=row]")).to_have_text(["INSERT", "MODIFY", "REMOVE"])
    pivot.get_by_label("Measure").select_option("out_of_pocket")
    pivot.get_by_label("Aggregation").select_option("max")
    largest = place.warehouse.open_session(is_read_only=True)
    answer = next(largest.execute_script("SELECT max(outofpock_amount) FROM customer_transaction_fact")).rows()[0][0]
    expect(pivot.locator("tfoot td.total")).to_have_text(f"${answer:,.2f}")
    place.page.reload()
    expect(pivot.locator("tbody th[scope=row]")).to_have_text(["INSERT", "MODIFY", "REMOVE"])
    expect(pivot.locator("[data-well=columns] [data-dimension=hour]")).to_be_visible()


def test_a_pivot_is_rearranged_by_keyboard(place: Place) -> None:
    place.open(BOARD)
    pivot = place.tile("pivot")
    pivot.locator("[data-dimension=event_name]").focus()
    place.page.keyboard.press("Enter")
    pivot.get_by_role("menuitem", name="Take out").press("Enter")
    expect(pivot.locator("[data-well=shelf] [data-dimension=event_name]")).to_be_visible()
    expect(pivot.locator("thead th")).to_have_text(["Provider", "Out-of-pocket"])


def test_filters_and_a_click_into_a_chart_narrow_the_others(place: Place) -> None:
    place.open(BOARD)
    canvas = place.tile("top-providers").locator("canvas")
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": 70, "y": 12})
    expect(place.page.locator("button[data-filter=provider]")).to_have_text("Provider: PV-001")
    expect(place.tile("pivot").locator("tbody th[scope=row]")).to_have_text(["PV-001"])
    place.page.locator("button[data-filter=provider]").click()
    place.page.get_by_label("PV-002", exact=True).check()
    expect(place.tile("pivot").locator("tbody th[scope=row]")).to_have_text(["PV-001", "PV-002"])
    place.page.keyboard.press("Escape")
    place.page.get_by_role("button", name="Clear").click()
    expect(place.page.locator("button[data-filter=provider]")).to_have_text("Provider: all")
    place.page.locator("select[data-filter=completed]").select_option("5m")
    expect(place.page).to_have_url(re.compile("5m"))


def test_a_tile_is_downloaded_as_csv(place: Place) -> None:
    place.open(BOARD)
    place.tile("events").hover()
    with place.page.expect_download() as waiting:
        place.page.get_by_label("Download Events as CSV").click()
    text = Path(waiting.value.path()).read_text()
    assert text.splitlines()[0] == "event_name,transactions"


def test_a_broken_file_shows_where_and_comes_back_by_itself(place: Place) -> None:
    file = place.folder / "customer_transactions.yaml"
    text = file.read_text()
    place.open(BOARD)
    expect(place.tile("events")).to_be_visible()
    file.write_text(text.replace("measure: out_of_pocket, time", "measure: out_of_pokcet, time"))
    alert = place.page.get_by_role("alert")
    expect(alert).to_contain_text('measure "out_of_pokcet" is not declared')
    expect(alert).to_contain_text("customer_transactions.yaml, line 28")
    expect(place.page.locator("nav .mark")).to_be_visible()
    file.write_text(text)
    expect(place.tile("events").locator("canvas")).to_be_visible()
    expect(place.page.locator("nav .mark")).to_have_count(0)
    assert place.documents == 1


def test_a_tile_that_fails_says_why_in_its_place(place: Place) -> None:
    (place.folder / "half.yaml").write_text(
        "title: Half\norder: 0\ntiles:\n"
        "- {type: table, title: Bad, sql: SELECT * FROM nowhere}\n- {type: kpi, title: Good, sql: SELECT 7 AS value}\n"
    )
    place.open("/dashboards/half")
    expect(place.tile("bad").get_by_role("alert")).to_contain_text('relation "nowhere" does not exist')
    expect(place.tile("good").locator(".kpi-value")).to_have_text("7")
    place.warehouse.execute("CREATE TABLE nowhere AS SELECT 42 AS answer")
    place.warehouse.publish()
    expect(place.tile("bad").locator("tbody td")).to_have_text(["42"])


def test_the_pipeline_is_drawn_with_its_nodes_and_their_details(place: Place) -> None:
    page = place.open("/pipeline")
    expect(page.locator(".node")).to_have_count(10)
    expect(page.locator(".edge")).to_have_count(9)
    order = ["source", "stream", "streaming_view", "derived_view", "procedure", "table", "dashboard"]
    lefts = [page.locator(f".node[data-kind={kind}]").first.bounding_box() for kind in order]
    places = [box["x"] for box in lefts if box]
    assert places == sorted(places)
    assert len(set(places)) == len(order)
    expect(page.locator(".node.failed")).to_contain_text("value too long")
    page.locator("[data-node='view:mv_provider_daily']").click()
    expect(page.locator(".details")).to_contain_text("count(DISTINCT) cannot be maintained from a delta")
    page.keyboard.press("Escape")
    expect(page.locator(".details")).to_have_count(0)
    for metric in ("IncomingRecords", "IncomingBytes", "PutRecord.Success", "GetRecords.IteratorAgeMilliseconds"):
        expect(place.tile(f"metric-{metric}").locator("canvas")).to_be_visible()
    expect(place.tile("history").locator("canvas")).to_be_visible()
    expect(place.tile("audit")).to_contain_text("Customer_Transaction_Fact_Load")


def test_the_pipeline_follows_commits_and_a_payload_is_only_text(place: Place) -> None:
    page = place.open("/pipeline")
    node = page.locator("[data-node='table:customer_transaction_fact']")
    expect(node).to_contain_text("400 rows")
    place.warehouse.tick(7)
    expect(node).to_contain_text("407 rows")
    page.get_by_role("tab", name="Quarantine").click()
    expect(page.get_by_role("cell", name="<img src=x onerror=alert(1)>")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def type_sql(page: Page, text: str) -> None:
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_query_runs_and_tells_rows_types_nulls_and_time(place: Place) -> None:
    page = place.open("/query")
    type_sql(page, "SELECT range AS n, NULL AS nothing, '' AS blank FROM range(5000)")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-rows]")).to_have_text("5,000 rows")
    expect(page.locator("[data-ms]")).to_have_text(re.compile(r"\d+(\.\d)? ms"))
    expect(page.locator(".sheet-head small")).to_have_text(["bigint", "unknown", "character varying"])
    assert page.locator(".sheet-row").count() < 120, "only the rows in sight are in the page"
    row = page.locator(".sheet-row").first
    expect(row.locator(".null")).to_have_text(["NULL", "empty"])
    page.locator(".sheet-scroll").evaluate("element => { element.scrollTop = element.scrollHeight }")
    expect(page.locator(".sheet-row").last).to_contain_text("4999")


def test_only_the_selection_runs(place: Place) -> None:
    page = place.open("/query")
    type_sql(page, "SELECT 'first' AS a;\nSELECT 'second' AS b")
    page.keyboard.press("Shift+Home")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sheet-head b")).to_have_text(["b"])
    type_sql(page, "SELECT 'first' AS a;\nSELECT 'second' AS b")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("tab")).to_have_text(["1 · SELECT 1", "2 · SELECT 1"])


def test_an_error_is_marked_in_the_editor_and_under_its_line(place: Place) -> None:
    page = place.open("/query")
    type_sql(page, "RAISE 'watch out';\nSELECT 'ü😀', *\n  FROM no_such_table")
    page.keyboard.press("Control+Enter")
    fault = page.locator(".fault-box")
    expect(fault).to_contain_text('relation "no_such_table" does not exist')
    expect(fault).to_contain_text("42P01")
    expect(fault).to_contain_text("No schema of the search path has it.")
    expect(fault).to_contain_text("Look at svv_tables.")
    expect(page.locator("[data-caret]")).to_have_text("LINE 3:   FROM no_such_table\n               ^^^^^^^^^^^^^")
    expect(page.locator(".cm-content .fault")).to_have_text("no_such_table")
    expect(page.locator(".notice")).to_contain_text("watch out")
    type_sql(page, "SELECT 1")
    expect(page.locator(".cm-content .fault")).to_have_count(0)


def test_a_running_query_is_cancelled_and_the_history_is_kept(place: Place) -> None:
    page = place.open("/query")
    type_sql(page, "SELECT sum(a.range * b.range) FROM range(3000000) a, range(3000000) b")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".status-line")).to_contain_text("running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".fault-box")).to_contain_text("57014")
    page.reload()
    page.get_by_role("button", name="History", exact=True).click()
    page.locator(".past").first.click()
    expect(page.locator(".cm-content")).to_contain_text("range(3000000)")


def test_the_schema_tree_fills_the_editor(place: Place) -> None:
    page = place.open("/query")
    expect(page.locator(".cm-content")).to_be_visible()
    page.get_by_label("Search tables and columns").fill("outofpock_amount")
    expect(page.locator(".tree-row")).to_have_count(1)
    page.keyboard.press("Tab")
    type_sql(page, "")
    page.get_by_label("Put a SELECT of customer_transaction_fact into the editor").click()
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-rows]")).to_have_text("100 rows")


def test_a_lost_connection_is_shown_and_comes_back_by_itself(browser: Browser, warehouse: FakeWarehouse) -> None:
    place = Place(browser, warehouse, DASHBOARDS)
    try:
        place.open(BOARD)
        expect(place.page.locator(".live")).to_have_class("live live")
        port = place.server.port
        place.server.stop()
        expect(place.page.locator(".live")).to_have_class("live lost")
        place.server = ConsoleServer(create_app(warehouse, DASHBOARDS), port=port)
        place.server.start()
        expect(place.page.locator(".live")).to_have_class("live live")
        assert place.documents == 1
    finally:
        place.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_its_reader_chooses(
    browser: Browser, warehouse: FakeWarehouse, scheme: Literal["light", "dark"]
) -> None:
    place = Place(browser, warehouse, DASHBOARDS, scheme)
    try:
        page = place.open(BOARD)
        other = "light" if scheme == "dark" else "dark"
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        page.get_by_role("button", name=re.compile("theme")).click()
        expect(page.locator("html")).to_have_attribute("data-theme", other)
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", other)
        assert place.complaints == []
    finally:
        place.close()


def test_it_is_ready_within_two_seconds_and_weighs_less_than_700_kb(place: Place) -> None:
    sizes: list[int] = []
    place.page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
    page = place.open(BOARD)
    expect(place.tile("events").locator("canvas")).to_be_visible()
    ready = page.evaluate("() => performance.now()")
    page.goto(place.server.url + "/query")
    expect(page.locator(".cm-content")).to_be_visible()
    assert sum(sizes) < 700 * 1024
    assert ready < 2000 * (3 if os.environ.get("CI") else 2), f"{ready:.0f} ms"
