"""The image of `deploy/Containerfile`, built without a registry and without an index: of Debian's packages, and wheels.

It stands on a base that mmdebstrap makes, as small as the one that the file names, and is run by what makes it more
than a directory: a root of its own, which is read-only, an ordinary user, and the variables that it sets.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.deploy.shipped import DEPLOY

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT: Final = DEPLOY.parent
_BASE: Final = "localhost/base:1"
_LEFT_OUT: Final = ("doc", "man", "locale")
"""Of /usr/share, as in the images that Debian publishes as `slim`."""
_WHEELS_OF: Final = (
    "manylinux_2_34",
    "manylinux_2_28",
    "manylinux_2_17",
    "manylinux2014",
    "manylinux_2_5",
    "manylinux1",
)
"""What Debian 12 takes (PEP 600)."""
_OLDER_PYTHON: Final = "async-timeout"
"""Debian's Python 3.11.2 needs it besides, and pip asks the one that downloads what it needs."""

# What unshare(1) becomes, in mounts of its own: a root that is read-only, and in it a program of an ordinary user.
_ENTER: Final = """
set -e
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
exec chroot --userspec="$user" "$root" /usr/bin/env -i "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """One that was built: its files, and what it says of how it is run."""

    root: Path
    config: dict[str, Any]

    @property
    def uid(self) -> int:
        """Whose it is."""
        return int(self.config["User"].partition(":")[0])

    @property
    def bytes(self) -> int:
        """The sizes of all of its files."""
        return sum(file.lstat().st_size for file in self.root.rglob("*") if file.is_file() and not file.is_symlink())

    def command(self, words: list[str], **variables: str) -> list[str]:
        """Return the command that runs these words in it, with further variables."""
        given = [*self.config["Env"], *(f"{name}={value}" for name, value in variables.items())]
        enter = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh")
        return [*enter, str(self.root), self.config["User"], *given, *words]


@contextmanager
def built() -> Iterator[Image]:
    """Build it, and throw all away in the end. A path that is as short as it is: Unix sockets in it have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        directory = Path(name)
        _make_base(directory)
        _download(directory / "wheels")
        buildah = _Buildah(directory)
        (directory / "Base").write_text("FROM scratch\nADD base.tar /\n")
        buildah("build", "--isolation", "chroot", "-t", _BASE, "-f", str(directory / "Base"), str(directory))
        buildah(
            *("build", "--isolation", "chroot", "--network", "host", "--format", "docker", "-t", "localhost/ours:1"),
            *("--build-arg", f"BASE={_BASE}", "--build-arg", "PIP_FIND_LINKS=/wheels", "--build-arg", "PIP_NO_INDEX=1"),
            *("--volume", f"{directory / 'wheels'}:/wheels:ro", "-f", str(DEPLOY / "Containerfile"), str(CHECKOUT)),
        )
        config = json.loads(buildah("inspect", "--type", "image", "localhost/ours:1"))["Docker"]["config"]
        container = buildah("from", "localhost/ours:1").strip()
        try:
            yield Image(Path(buildah("mount", container).strip()), config)
        finally:
            buildah("rm", container)


class _Buildah:
    """Runs buildah with all that it keeps in a directory."""

    def __init__(self, directory: Path) -> None:
        self._words = ("buildah", "--root", str(directory / "store"), "--runroot", str(directory / "run"))

    def __call__(self, *words: str) -> str:
        return _run([*self._words, "--storage-driver", "vfs", *words])


def _make_base(directory: Path) -> None:
    smaller = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _LEFT_OUT]
    smaller += [f'--aptopt=Dir::Cache::{cache} ""' for cache in ("pkgcache", "srcpkgcache")]
    hooks = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    _run(["mmdebstrap", "--quiet", "--variant=apt", hooks, *smaller, "bookworm", str(directory / "base.tar")])


def _download(wheels: Path) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"], _OLDER_PYTHON]
    machine = _run(["uname", "-m"]).strip()
    kinds = [f"--platform={each}_{machine}" for each in _WHEELS_OF] + [
        f"--abi={abi}" for abi in ("cp311", "abi3", "none")
    ]
    _run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(wheels), "--only-binary=:all:"),
            *("--implementation=cp", "--python-version=3.11", *kinds, "-c", str(CHECKOUT / "constraints.txt"), *wanted),
        ]
    )


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shutil.which(words[0])}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
