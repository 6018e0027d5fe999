# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source bundle to look into: a folder or a zip, with the same few questions."""

from __future__ import annotations

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from .project_files import LARGEST, is_inside

# Only these folders matter to EB; the rest of a tree is not walked, so that a tree of 50,000 files costs nothing.
FOLDERS = (".ebextensions", ".platform")
MISSPELT = (
    ".ebextension",
    ".ebextentions",
    ".ebextention",
    ".ebxtensions",
    ".eb_extensions",
    ".platforms",
    ".plateform",
)
_UNIX = 3  # the zip format's number for the system that made an entry


class UnreadableBundleError(Exception):
    """The path is neither a folder nor a readable zip; the message says which."""


class Bundle(ABC):
    """Names are relative, with forward slashes."""

    names: list[str]

    @abstractmethod
    def content(self, name: str) -> bytes:
        """Return the bytes of a file, b"" when it is not read."""

    @abstractmethod
    def is_executable(self, name: str) -> bool | None:
        """Tell whether the execute bit is set; None when the archive does not say (made on Windows)."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Return the bytes that a file has, 0 when it cannot be asked."""

    def is_read(self, name: str) -> bool:
        """Tell whether `content` gives the file: not when it is absurdly large for a configuration file, or is none."""
        return self.size(name) <= LARGEST

    @abstractmethod
    def listing(self, folder: str) -> list[str]:
        """Return the names of the files directly in any folder, and of the folders in it with a slash."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file, if one is open."""

    @abstractmethod
    def wrapper(self) -> str:
        """Return the single top folder that hides the application from EB, or ""."""

    @cached_property
    def _known(self) -> set[str]:
        return set(self.names)

    def has(self, name: str) -> bool:
        """Tell whether the bundle has a file of that name."""
        return name in self._known

    def text(self, name: str) -> str:
        """Return a file as text; raises UnicodeDecodeError."""
        return self.content(name).decode("utf-8-sig")

    def below(self, folder: str) -> list[str]:
        """Return the files anywhere below `folder`, in order."""
        return sorted(name for name in self.names if name.startswith(folder + "/"))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False


class Tree(Bundle):
    """A folder. Only its top, .ebextensions and .platform are listed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = [entry.name for entry in os.scandir(root) if _is_file(entry)]
        for folder in (*FOLDERS, *MISSPELT):
            if (root / folder).is_symlink():
                # The bundle has the link, and no folder.
                continue
            for parent, _folders, files in os.walk(root / folder):
                base = Path(parent).relative_to(root).as_posix()
                self.names += [f"{base}/{file}" for file in files]

    def content(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes() if self.is_read(name) else b""
        except OSError:
            return b""

    def is_read(self, name: str) -> bool:
        return is_inside(self.root, self.root / name)

    def listing(self, folder: str) -> list[str]:
        place = self.root / folder
        if place.is_symlink() or not place.is_dir():
            return []
        with os.scandir(place) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        return [entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in found]

    def is_executable(self, name: str) -> bool | None:
        try:
            return bool((self.root / name).stat().st_mode & 0o111)
        except OSError:
            return None

    def size(self, name: str) -> int:
        try:
            return (self.root / name).stat().st_size
        except OSError:
            return 0

    def close(self) -> None:
        pass

    def wrapper(self) -> str:
        return ""


class Overlaid(Tree):
    """A folder with files in place of its own, or beside them: as the bundle will have it."""

    def __init__(self, root: Path, overlay: Mapping[str, str]) -> None:
        super().__init__(root)
        self.overlay = {name: text.encode() for name, text in overlay.items()}
        self.names = sorted({*self.names, *overlay})

    def content(self, name: str) -> bytes:
        return self.overlay[name] if name in self.overlay else super().content(name)

    def is_read(self, name: str) -> bool:
        return name in self.overlay or super().is_read(name)

    def is_executable(self, name: str) -> bool | None:
        return True if name in self.overlay else super().is_executable(name)

    def size(self, name: str) -> int:
        return len(self.overlay[name]) if name in self.overlay else super().size(name)


class Archive(Bundle):
    """A zip file."""

    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path)
        self.entries = {info.filename: info for info in self.zip.infolist() if not info.is_dir()}
        self.names = list(self.entries)

    def size(self, name: str) -> int:
        return self.entries[name].file_size

    def listing(self, folder: str) -> list[str]:
        start = f"{folder}/" if folder else ""
        inside = (name[len(start) :].partition("/") for name in self.names if name.startswith(start))
        return sorted({first + slash for first, slash, _rest in inside})

    def close(self) -> None:
        self.zip.close()

    def content(self, name: str) -> bytes:
        return self.zip.read(self.entries[name]) if self.is_read(name) else b""

    def is_executable(self, name: str) -> bool | None:
        entry = self.entries[name]
        mode = entry.external_attr >> 16 if entry.create_system == _UNIX else 0
        return bool(mode & 0o111) if mode else None

    def wrapper(self) -> str:
        tops = {PurePosixPath(name).parts[0] for name in self.names}
        if len(tops) != 1:
            return ""
        top = tops.pop()
        inside = {name[len(top) + 1 :].split("/")[0] for name in self.names}
        signs = {*FOLDERS, "Dockerfile", "docker-compose.yml", "Dockerrun.aws.json", "Procfile"}
        return top if signs & inside else ""


def open_bundle(path: str, overlay: Mapping[str, str] | None = None) -> Bundle:
    """Open a folder or a zip; ``overlay`` are files that replace some of a folder's. Raises UnreadableBundleError."""
    place = Path(path)
    if place.is_dir():
        return Overlaid(place, overlay) if overlay else Tree(place)
    if not place.exists():
        raise UnreadableBundleError(f"There is no file or folder {path}.")
    try:
        return Archive(place)
    except (zipfile.BadZipFile, OSError) as error:
        raise UnreadableBundleError(f"{path} is neither a folder nor a readable zip: {error}.") from None
