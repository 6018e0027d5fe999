# SPDX-License-Identifier: GPL-3.0-or-later
"""The preset collectstatic with real Django and a STATIC_ROOT (or an S3) that outlives the deployments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import build
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.hooks.render import PRESETS

from ..bundle.sources import spec

PLAIN = "python manage.py collectstatic --noinput"
PRESET = str(PRESETS["collectstatic"]["command"])
PROJECT = {
    "manage.py": (
        "import os, sys\nfrom django.core.management import execute_from_command_line\n"
        'os.environ["DJANGO_SETTINGS_MODULE"] = "settings"\nexecute_from_command_line(sys.argv)\n'
    ),
    "settings.py": (
        "import os\nfrom pathlib import Path\n"
        'SECRET_KEY = "test"\nINSTALLED_APPS = ["django.contrib.staticfiles", "shop"]\n'
        'STATIC_URL = "/static/"\nSTATIC_ROOT = os.environ["COPIES"]\n'
        'STATICFILES_DIRS = [("brand", Path(__file__).parent / "assets"), Path(__file__).parent / "assets2"]\n'
        'STORAGES = {"staticfiles": {"BACKEND": os.environ["STORAGE"]}}\n'
    ),
    # As S3 has it: no path, no files of its own on disk, and a clock that is not ours.
    "bucket.py": (
        "import os, time\nfrom datetime import datetime, timezone\nfrom pathlib import Path\n"
        "from django.core.files.base import ContentFile\nfrom django.core.files.storage import Storage\n\n\n"
        "class Bucket(Storage):\n"
        '    root = Path(os.environ["COPIES"])\n'
        '    ahead = float(os.environ.get("CLOCK_AHEAD", "0"))\n\n'
        '    def _key(self, name):\n        return self.root / name.replace("/", "%2F")\n\n'
        "    def exists(self, name):\n        return self._key(name).exists()\n\n"
        '    def _open(self, name, mode="rb"):\n        return ContentFile(self._key(name).read_bytes(), name)\n\n'
        "    def _save(self, name, content):\n        self._key(name).write_bytes(content.read())\n"
        "        return name\n\n"
        "    def delete(self, name):\n        self._key(name).unlink()\n\n"
        "    def get_modified_time(self, name):\n"
        "        return datetime.fromtimestamp(self._key(name).stat().st_mtime + self.ahead, timezone.utc)\n"
    ),
    "shop/__init__.py": "",
    "shop/static/shop/site.css": "body { color: A; }\n",
    "assets/logo.svg": "<svg>A</svg>\n",
    "assets2/shop/site.css": "body { colour: A; }\n",
    "assets2/only.css": "",
}
FILES = "django.contrib.staticfiles.storage.StaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
BUCKET = "bucket.Bucket"


class Site:
    """A repository with two versions, and the place to which static files are copied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = folder / "repo"
        self.copies = folder / "copies"
        self.storage = FILES
        self.environment: dict[str, str] = {}
        self.owner = os.geteuid()
        self.without: tuple[str, ...] = ()
        self._release = 0
        self.copies.mkdir()
        for name, content in PROJECT.items():
            (self.repo / name).parent.mkdir(parents=True, exist_ok=True)
            (self.repo / name).write_text(content)
        self._git("init", "-q", "-b", "main")
        # B is older than any copy that will be made of A; both have files of equal size.
        self.a = self.commit("A", 1700000000)
        self.b = self.commit("B", 1700000100)

    def _git(self, *words: str, date: int = 0) -> str:
        who = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        env = {**os.environ, **who, "GIT_COMMITTER_DATE": f"{date} +0000"}
        done = subprocess.run(["git", "-C", self.repo, *words], env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, text: str, date: int) -> str:
        for name in ("assets/logo.svg", "assets2/shop/site.css"):
            path = self.repo / name
            path.write_text(PROJECT[name].replace("A", text))
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", text, date=date)
        return self._git("rev-parse", "HEAD")

    def deploy(self, commit: str, command: str = PRESET) -> str:
        """Bundle a commit, unpack it as unzip(1) does it in a new container, and run the hook's command there."""
        made = build.make_bundle(spec(self.repo, self.folder, ref=commit))
        self._release += 1
        release = self.folder / f"release{self._release}"
        with zipfile.ZipFile(made.bundle.path) as archive:
            for item in archive.infolist():
                path = Path(archive.extract(item, release))
                when = datetime(*item.date_time, tzinfo=UTC).timestamp()
                os.utime(path, (when, when))
                os.chown(path, self.owner, -1)
        env = {
            **os.environ,
            **self.environment,
            "COPIES": str(self.copies),
            "STORAGE": self.storage,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [*self.without, "sh", "-c", command], cwd=release, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def copied(self) -> set[str]:
        """What the copies of the files that differ hold."""
        slash = "%2F" if self.storage == BUCKET else "/"
        return {(self.copies / name.replace("/", slash)).read_text() for name in ("brand/logo.svg", "shop/site.css")}


def version(text: str) -> set[str]:
    return {f"<svg>{text}</svg>\n", f"body {{ colour: {text}; }}\n"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def committed_before(site: Site) -> list[tuple[str, str]]:
    return [(site.a, "A"), (site.b, "B")]


def reverted(site: Site) -> list[tuple[str, str]]:
    return [(site.a, "A"), (site.b, "B"), (site.commit("A", 1700000200), "A")]


def rolled_back(site: Site) -> list[tuple[str, str]]:
    return [(site.b, "B"), (site.a, "A"), (site.b, "B")]


def everything(site: Site) -> list[tuple[str, str]]:
    return [*committed_before(site), (site.commit("A", 1700000200), "A"), (site.b, "B"), (site.a, "A")]


SCENES = [committed_before, reverted, rolled_back]


def test_plain_collectstatic_keeps_the_old_files(site: Site) -> None:
    """Why the preset is more than Django's command, although the dates of the bundle are right."""
    site.deploy(site.a, PLAIN)
    site.deploy(site.b, PLAIN)
    assert site.copied() == version("A")


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("storage", [FILES, MANIFEST, BUCKET])
def test_every_deployment_brings_its_files(
    site: Site, scene: Callable[[Site], list[tuple[str, str]]], storage: str
) -> None:
    site.storage = storage
    (site.copies / "of-others.txt").write_text("stays")
    for commit, text in scene(site):
        said = site.deploy(commit)
        assert site.copied() == version(text)
        assert "cannot be touched" not in said
        assert (site.copies / "of-others.txt").read_text() == "stays"
    if storage == MANIFEST:
        hashed = {path.read_text() for path in (site.copies / "shop").glob("site.*.css")}
        assert f"body {{ colour: {text}; }}\n" in hashed


def test_a_clock_that_is_ahead_does_not_keep_old_files(site: Site) -> None:
    site.storage = BUCKET
    site.environment["CLOCK_AHEAD"] = str(14 * 3600)
    for commit, text in committed_before(site):
        site.deploy(commit)
        assert site.copied() == version(text)


def test_the_date_of_a_source_is_new_with_each_deployment(site: Site) -> None:
    """Servers that make an ETag of date and size (WhiteNoise) would not see a new version otherwise."""
    times = []
    for commit in (site.a, site.b):
        site.deploy(commit)
        times.append((site.folder / f"release{len(times) + 1}" / "assets" / "logo.svg").stat().st_mtime)
        assert times[-1] > time.time()
    assert times[0] != times[1]


@pytest.mark.parametrize("storage", [FILES, MANIFEST, BUCKET])
def test_a_read_only_container_compares_by_content(site: Site, storage: str) -> None:
    site.storage = storage
    (site.folder / "readonly").mkdir()
    # What the kernel answers on a file system that is mounted read-only.
    (site.folder / "readonly" / "sitecustomize.py").write_text(
        "import errno, os\n\n\n"
        "def refuse(*words, **more):\n    raise OSError(errno.EROFS, 'Read-only file system')\n\n\n"
        "os.utime = refuse\n"
    )
    site.environment["PYTHONPATH"] = str(site.folder / "readonly")
    for number, (commit, text) in enumerate(everything(site)):
        said = site.deploy(commit)
        assert site.copied() == version(text)
        assert (
            "3 static files cannot be touched here (read-only, or of another user), so they were compared with their "
            f"copies by content; {2 if number else 0} were replaced."
        ) in said
    inode = (site.copies / ("only.css")).stat().st_ino
    assert "; 0 were replaced." in site.deploy(commit)
    assert (site.copies / "only.css").stat().st_ino == inode


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="root gives files away, and rights up")
def test_a_container_of_another_user_compares_by_content(site: Site) -> None:
    site.owner = 65534
    site.without = ("setpriv", "--bounding-set=-fowner,-dac_override", "--inh-caps=-fowner,-dac_override")
    for commit, text in everything(site):
        assert "3 static files cannot be touched here" in site.deploy(commit)
        assert site.copied() == version(text)
