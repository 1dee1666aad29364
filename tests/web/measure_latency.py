"""How long files take in the browser: ``python tests/web/measure_latency.py FILE...``.

One page runs all files in turns, one crop at a time, in one thread. What counts is the
processor time of the page's process, as Linux counts it: on a loaded machine the clock
says how long it waited. Browsers compile a runtime twice, quickly and then well, so
each file runs first for --warm-up seconds of processor time; --compiled-once leaves it
at the first. --operators adds where ONNX Runtime spends its time, by its own profile.
"""

import argparse
import collections
import json
import re
import shutil
import statistics
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from distilpose_keras.web import server
from distilpose_keras.web.site import page_site

PROGRAM = shutil.which("chromium") or "/usr/bin/chromium"
PAGE = "renderer"  # what Chromium calls the process of a page
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
OPEN = """async (name) => {
  const { readMetadata } = await import("/metadata.js");
  const bytes = new Uint8Array(await (await fetch(`models/${name}`)).arrayBuffer());
  const metadata = readMetadata(bytes, name);
  const [height, width] = metadata.input_size;
  const size = { length: 3 * height * width };
  const values = Float32Array.from(size, (_, i) => i % 251);
  return { bytes, metadata, shape: [1, height, width, 3], values };
}"""
START = f"""async (names) => {{
  const {{ openRuntime }} = await import("/runtimes.js");
  const open = {OPEN};
  globalThis.opened = {{}};
  for (const name of names) {{
    const {{ bytes, metadata, values }} = await open(name);
    const outputs = ["keypoints", "scores"];
    const runtime = await openRuntime(bytes, name, metadata, outputs, () => {{}});
    globalThis.opened[name] = [runtime, values];
  }}
}}"""
RUN = """async ([name, count]) => {
  const [runtime, values] = globalThis.opened[name];
  for (let i = 0; i < count; i += 1) await runtime.run(values);
}"""
PROFILE = f"""async (name) => {{
  const ort = await import("/runtimes/onnxruntime-web/dist/ort.wasm.min.mjs");
  const {{ bytes, shape, values }} = await ({OPEN})(name);
  const session = await ort.InferenceSession.create(bytes, {{
    executionProviders: ["wasm"],
    enableProfiling: true,
  }});
  const image = new ort.Tensor("float32", values, shape);
  for (let round = 0; round < 20; round += 1)
    await session.run({{ [session.inputNames[0]]: image }});
  session.endProfiling();
}}"""


def operators(text):
    """Milliseconds of each operator: its fastest of all runs, summed by type."""
    best, types = collections.defaultdict(lambda: float("inf")), {}
    for line in re.findall(r'^\{"cat" : "Node".*?\}\}', text, re.M):
        event = json.loads(line)
        if event["name"].endswith("_kernel_time"):
            best[event["name"]] = min(best[event["name"]], event["dur"] / 1000)
            types[event["name"]] = event["args"]["op_name"]
    totals = collections.Counter()
    for name, milliseconds in best.items():
        totals[types[name]] += milliseconds
    return totals


class Clock:
    """Processor time of the page's process: seconds since it started."""

    def __init__(self, browser):
        self.session = browser.new_browser_cdp_session()

    def __call__(self):
        found = self.session.send("SystemInfo.getProcessInfo")["processInfo"]
        return sum(process["cpuTime"] for process in found if process["type"] == PAGE)


def measure(page, clock, names, warm_up, rounds):
    """Milliseconds of a run of each file: the median of rounds of a second or so."""
    counts = {}
    for name in names:
        started, count = clock(), 0
        while (taken := clock() - started) < warm_up:
            page.evaluate(RUN, [name, 4])
            count += 4
        counts[name] = max(4, round(count / taken))
    times = {name: [] for name in names}
    for _ in range(rounds):
        for name, count in counts.items():
            started = clock()
            page.evaluate(RUN, [name, count])
            times[name].append(1000 * (clock() - started) / count)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--operators", action="store_true")
    parser.add_argument("--compiled-once", action="store_true")
    arguments = parser.parse_args()
    # A page that is not isolated has one thread.
    for name in [name for name in server.HEADERS if name.startswith("Cross")]:
        del server.HEADERS[name]
    served = server.SiteServer(page_site(arguments.files))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    names = [path.name for path in arguments.files]
    with sync_playwright() as playwright:
        once = ("--js-flags=--liftoff-only",) if arguments.compiled_once else ()
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, args=[*FLAGS, *once]
        )
        page, said = browser.new_page(), []
        page.set_default_timeout(0)
        page.on("console", lambda message: said.append(message.text))
        page.goto(served.address)
        page.wait_for_selector("body[data-ready]")
        page.evaluate(START, names)
        warm_up, rounds = arguments.warm_up, arguments.rounds
        found = measure(page, Clock(browser), names, warm_up, rounds)
        for name, milliseconds in found.items():
            share = milliseconds / found[names[0]]
            print(f"{name:32} {milliseconds:8.2f} ms {share:6.2f}")
        for name in filter(lambda name: name.endswith(".onnx"), names):
            if arguments.operators:
                said.clear()
                page.evaluate(PROFILE, name)
                page.wait_for_timeout(500)
                most = operators("\n".join(said)).most_common(8)
                print(name, ", ".join(f"{kind} {ms:.1f}" for kind, ms in most))
        browser.close()


if __name__ == "__main__":
    main()
