"""What it costs to look at every head: the viewer's page beside those of three other tools.

    pip install playwright && apt install chromium
    pip install --no-deps --target outputs/peers bertviz==1.4.1 circuitsvis inspectus lazy-importer
    PYTHONPATH=outputs/peers python benchmarks/viewer.py --out benchmarks/results/viewer.json

Patterns of 30 layers x 9 heads (SmolLM2-135M's shape): softmax of random scores with a sink on the
first token and a liking for near ones. Each page is opened from disk in a fresh headless Chromium
whose network is blocked; the median of the repeats is told. A tool that is not installed is left
out, and the result says so.

- build: seconds in Python from the array to the page's text;
- page: bytes of that text;
- drawn: from the start of the navigation to the last change of the document or the end of the last
  task of over 50 ms, once nothing more has happened for a second;
- heap: JavaScript's heap then, and after a garbage collection. Typed arrays lie outside of it, so
  the resident memory of the page's process is told as well;
- seen: whether there is anything to see: canvas, svg or table elements of some size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from cat.provenance import provenance
from catviz.patterns import AttentionPattern
from catviz.viewer import viewer_page

LAYERS, HEADS = 30, 9
QUIET_MS = 1000
WATCH = """
window.lastChange = 0;
new MutationObserver(() => { window.lastChange = performance.now(); }).observe(
    document, {subtree: true, childList: true, attributes: true, characterData: true});
new PerformanceObserver(list => {
    for (const task of list.getEntries())
        window.lastChange = Math.max(window.lastChange, task.startTime + task.duration);
}).observe({type: "longtask", buffered: true});
"""
SEEN = """
(function seen(root) {
    return [...root.querySelectorAll("*")].some(element => {
        if (element.shadowRoot && seen(element.shadowRoot)) return true;
        const box = element.getBoundingClientRect();
        return /^(canvas|svg|table)$/i.test(element.tagName) && box.width > 50 && box.height > 50;
    });
})(document)
"""


def random_values(tokens: int) -> np.ndarray:
    """(layer, head, query, key): between a third and a half of the attention on the first token."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(LAYERS, HEADS, tokens, tokens), scale=1.5).astype(np.float32)
    distance = np.subtract.outer(np.arange(tokens), np.arange(tokens))
    scores -= 0.05 * distance
    scores[..., 0] += np.log(np.arange(1, tokens + 1)) + 1.0
    scores[..., distance < 0] = -np.inf
    scores -= scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores)
    return weights / weights.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------------------- the tools


def catviz_page(values: np.ndarray, tokens: list[str]) -> str:
    return viewer_page(AttentionPattern(values, tuple(tokens), model="random", text="words"))


def inspectus_page(values: np.ndarray, tokens: list[str]) -> str:
    import inspectus

    return _displayed(lambda: inspectus.attention(values, tokens))


def bertviz_page(values: np.ndarray, tokens: list[str]) -> str:
    import torch
    from bertviz import head_view

    layers = [torch.from_numpy(layer)[None] for layer in values]
    return str(head_view(layers, tokens, html_action="return").data)


def circuitsvis_page(values: np.ndarray, tokens: list[str]) -> str:
    import torch
    from circuitsvis.attention import attention_heads

    heads = torch.from_numpy(values.reshape(-1, *values.shape[2:]))
    return str(attention_heads(tokens=tokens, attention=heads).local_src)


def _displayed(show: Callable[[], None]) -> str:
    """What a function would display in a notebook."""
    import IPython.display

    shown: list[str] = []
    before = IPython.display.display
    IPython.display.display = lambda *things, **_: shown.extend(str(t.data) for t in things)
    try:
        show()
    finally:
        IPython.display.display = before
    return "".join(shown)


TOOLS: dict[str, Callable[[np.ndarray, list[str]], str]] = {
    "catviz": catviz_page,
    "inspectus": inspectus_page,
    "bertviz": bertviz_page,
    "circuitsvis": circuitsvis_page,
}


# ---------------------------------------------------------------------------- the browser


def open_page(path: Path, limit_s: float) -> dict[str, Any]:
    """Open a page in a Chromium of its own; what it took until nothing more happened."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(limit_s * 1000)
        page.route("**/*", _files_only)
        page.add_init_script(WATCH)
        try:
            page.goto(path.as_uri(), wait_until="load")
            page.wait_for_function(f"performance.now() - window.lastChange > {QUIET_MS}")
        except Exception as error:
            browser.close()
            return {"failed": f"not quiet within {limit_s:g} s ({type(error).__name__})"}
        found = {
            "drawn_s": page.evaluate("window.lastChange") / 1000,
            "heap_mb": _heap(page, collect=False) / 1e6,
            "heap_collected_mb": _heap(page, collect=True) / 1e6,
            "resident_mb": _renderer_bytes() / 1e6,
            "seen": page.evaluate(SEEN),
        }
        browser.close()
        return found


def _files_only(route: Any) -> None:
    if route.request.url.startswith("file:"):
        route.continue_()
    else:
        route.abort()


def _heap(page: Page, *, collect: bool) -> float:
    session = page.context.new_cdp_session(page)
    if collect:
        session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize"))


def _renderer_bytes() -> int:
    """Of the largest renderer that this process has started: the page's."""
    renderers = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                renderers.append(process.memory_info().rss)
        except psutil.Error:
            continue
    return max(renderers, default=0)


# ---------------------------------------------------------------------------- the measurement


def measure(
    tool: str, tokens: int, folder: Path, repeats: int, limit_s: float
) -> dict[str, Any] | None:
    """Build a tool's page and open it; None where the tool is not installed."""
    values = random_values(tokens)
    words = [f"word{t}" for t in range(tokens)]
    seconds, text = [], ""
    for _ in range(repeats):
        start = time.perf_counter()
        try:
            text = TOOLS[tool](values, words)
        except ImportError as error:
            print(f"{tool}: {error}", file=sys.stderr)
            return None
        seconds.append(time.perf_counter() - start)
    path = folder / f"{tool}-{tokens}.html"
    # The others give fragments that a notebook puts into its own page.
    whole = text if text.lstrip().startswith("<!doctype") else f"<!doctype html><body>{text}</body>"
    path.write_text(whole, encoding="utf-8")
    opened = [open_page(path, limit_s) for _ in range(repeats)]
    path_bytes = path.stat().st_size
    path.unlink()
    result: dict[str, Any] = {
        "tool": tool,
        "tokens": tokens,
        "page_mb": path_bytes / 1e6,
        "build_s": statistics.median(seconds),
    }
    if failed := [o["failed"] for o in opened if "failed" in o]:
        return {**result, "failed": failed[0]}
    for key in ("drawn_s", "heap_mb", "heap_collected_mb", "resident_mb"):
        result[key] = statistics.median(o[key] for o in opened)
    result["drawn_range_s"] = [min(o["drawn_s"] for o in opened), max(o["drawn_s"] for o in opened)]
    result["seen"] = all(o["seen"] for o in opened)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a page may take")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if shutil.which("chromium") is None:
        sys.exit("expected chromium on the path; install Debian's package chromium")
    results, absent = [], set()
    with tempfile.TemporaryDirectory() as folder:
        for tokens in options.tokens:
            for tool in options.tools:
                found = measure(tool, tokens, Path(folder), options.repeats, options.limit)
                if found is None:
                    absent.add(tool)
                    continue
                results.append(found)
                print(_line(found), flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        command = " ".join(["python", "benchmarks/viewer.py", *sys.argv[1:]])
        record = {
            "command": command,
            "shape": {"layers": LAYERS, "heads": HEADS},
            "repeats": options.repeats,
            "results": results,
            "not_installed": sorted(absent),
            **provenance(),
        }
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _line(found: dict[str, Any]) -> str:
    head = (
        f"{found['tokens']:5d} tokens  {found['tool']:11s}  page {found['page_mb']:6.1f} MB  "
        f"build {found['build_s']:6.2f} s  "
    )
    if "failed" in found:
        return head + found["failed"]
    return head + (
        f"drawn {found['drawn_s']:6.2f} s  heap {found['heap_mb']:6.1f} MB  resident "
        f"{found['resident_mb']:6.0f} MB  {'seen' if found['seen'] else 'BLANK'}"
    )


if __name__ == "__main__":
    main()
