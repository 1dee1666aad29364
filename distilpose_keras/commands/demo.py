"""Show models at work in the browser: on the camera, pictures and videos.

The page runs exported files on the device that shows it; pictures do not leave it. It
is served to this machine alone, or written into a folder for a host of static files.
"""

import sys
from pathlib import Path

from distilpose_keras import preset_files
from distilpose_keras.commands import cli, extras

SUMMARY = "a page that runs models in the browser"
LAST_PORT = 65_535
EXAMPLES = """examples:
  %(prog)s
  %(prog)s student.tflite student_int8.tflite student.onnx
  %(prog)s student.keras --out site
  %(prog)s hand.tflite --finder none

A .keras file, or a preset, is exported to .tflite and .onnx in float32 first, once. The
browser's runtimes, 45 MB, are fetched from the npm registry the first time; --runtimes
takes a folder of the archives that npm pack writes of @litertjs/core,
@litertjs/wasm-utils and onnxruntime-web in the releases that this version is made for.
Both are kept in ~/.cache/distilpose-keras, or where DISTILPOSE_CACHE says.
The person finder of the package runs in the page too; a switch takes the whole picture.
"""
NO_FINDER = "none"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "models",
        metavar="MODEL",
        nargs="*",
        type=cli.model_file,
        help=f"{cli.MODEL_FILE} (default: {preset_files.DEFAULT})",
    )
    add(
        "--finder",
        metavar="FILE",
        type=_finder,
        help="an .onnx or .tflite file of a person finder in place of the package's; "
        f"{NO_FINDER}: one person fills the picture",
    )
    add("--port", type=_port, metavar="N", help="default: one that is free")
    add("--open", action="store_true", help="open the page in the browser")
    add(
        "--out",
        type=cli.output_folder,
        metavar="DIR",
        help="write the page into a folder and do not serve it",
    )
    add("--overwrite", action="store_true", help="write into a folder that has files")
    add("--runtimes", type=cli.input_folder, metavar="DIR", help="do not fetch them")


def run(arguments):
    """Serve the page until the process is interrupted, or write it."""
    out = arguments.out
    if out and out.exists() and any(out.iterdir()) and not arguments.overwrite:
        raise ValueError(f"output folder is not empty (use --overwrite): {out}")
    from distilpose_keras.detection import PRESET
    from distilpose_keras.web.site import page_site, write_site

    files = []
    for model in arguments.models or [preset_files.DEFAULT]:
        files += _browser_files(model)
    finder = PRESET if arguments.finder is None else arguments.finder
    if finder == NO_FINDER:
        finder = None
    site = page_site(files, finder=finder, runtimes=arguments.runtimes)
    if out:
        write_site(site, out)
        print(f"wrote {out}: {len(site)} files for a host of static files")
    else:
        _serve(site, arguments)


def _browser_files(model):
    """Files that browsers run, of a model by path or by a preset's name."""
    from distilpose_keras.web.exports import browser_files

    path = Path(preset_files.model_file(model))
    if path.suffix != ".keras":
        return [path]
    ready = preset_files.runnable_file(model)
    if ready == path:
        return browser_files(path)
    try:
        return [*browser_files(path, [".tflite"]), ready]
    except ModuleNotFoundError as error:
        print(
            f"warning: {ready.name} alone, which is slower in browsers than a .tflite "
            f"file: {extras.how_to_install(error.name) or error}",
            file=sys.stderr,
        )
        return [ready]


def _serve(site, arguments):
    from distilpose_keras.web.server import SiteServer

    with SiteServer(site, arguments.port or 0) as server:
        print(f"{server.address} (Ctrl+C ends it)", flush=True)
        if arguments.open:
            import webbrowser

            webbrowser.open(server.address)
        server.serve_forever()


def _finder(text):
    """Argument type: the path of a file, or the word for none."""
    return text if text == NO_FINDER else cli.input_file(text)


def _port(text):
    """Argument type: a port of this machine."""
    if not 1 <= (value := int(text)) <= LAST_PORT:
        raise cli.argparse.ArgumentTypeError(
            f"must be from 1 to {LAST_PORT}. Received: {text}"
        )
    return value


_port.__name__ = "int"
