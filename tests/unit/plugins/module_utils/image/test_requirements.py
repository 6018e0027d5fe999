# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of lock file gives the same sort of requirements file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.requirement import LockError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.requirements import find_lock, read_lock

A, B, C = ("sha256:" + letter * 64 for letter in "abc")

PIPFILE = json.dumps(
    {
        "_meta": {"sources": [{"url": "https://user:pass@index.example.com/", "name": "own"}]},
        "default": {
            "Django": {"version": "==5.2.1", "hashes": [B, A], "markers": "python_version >= '3.10'", "index": "own"},
            "psycopg": {"version": "==3.2.1", "hashes": [A], "extras": ["binary"]},
        },
        "develop": {"pytest": {"version": "==8.0.0", "hashes": [C]}},
    }
)

UV = f"""
version = 1
requires-python = ">=3.11"

[[package]]
name = "shop"
version = "0.1.0"
source = {{ virtual = "." }}
dependencies = [
  {{ name = "django" }},
  {{ name = "uvicorn", extra = ["standard"] }},
  {{ name = "numpy", version = "1.0", source = {{ registry = "https://x" }}, marker = "python_version < '3.12'" }},
  {{ name = "numpy", version = "2.0", source = {{ registry = "https://x" }}, marker = "python_version >= '3.12'" }},
]
[package.optional-dependencies]
s3 = [{{ name = "boto3" }}]
[package.dev-dependencies]
dev = [{{ name = "pytest" }}]

[[package]]
name = "django"
version = "5.2.1"
source = {{ registry = "https://x" }}
dependencies = [{{ name = "tzdata", marker = "sys_platform == 'win32'" }}]
sdist = {{ url = "https://x", hash = "{A}" }}
wheels = [{{ url = "https://x", hash = "{B}" }}]

[[package]]
name = "uvicorn"
version = "0.30"
source = {{ registry = "https://x" }}
wheels = [{{ url = "https://x", hash = "{A}" }}]
[package.optional-dependencies]
standard = [
  {{ name = "uvloop", marker = "sys_platform != 'win32'" }},
  {{ name = "tzdata", marker = "os_name == 'nt'" }},
]

""" + "".join(
    f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "https://x" }}\n'
    f'wheels = [{{ url = "https://x", hash = "{A}" }}]\n'
    for name, version in (
        ("uvloop", "1"), ("tzdata", "2"), ("numpy", "1.0"), ("numpy", "2.0"), ("boto3", "1"), ("pytest", "8"),
    )
)  # fmt: skip

POETRY_2 = f"""
[[package]]
name = "Django"
version = "5.2.1"
optional = false
groups = ["main"]
files = [{{file = "django.whl", hash = "{A}"}}]

[[package]]
name = "redis"
version = "5"
optional = true
groups = ["main"]
markers = "extra == \\"cache\\" and python_version >= \\"3.11\\""
files = [{{file = "redis.whl", hash = "{A}"}}]

[[package]]
name = "colorama"
version = "0.4"
optional = false
groups = ["main", "dev"]
files = [{{file = "colorama.whl", hash = "{A}"}}]
[package.markers]
main = "sys_platform == \\"win32\\""
dev = "platform_system == \\"Windows\\""

[[package]]
name = "pytest"
version = "8"
optional = false
groups = ["dev"]
files = [{{file = "pytest.whl", hash = "{C}"}}]

[extras]
cache = ["redis"]

[metadata]
lock-version = "2.1"
"""

POETRY_GIT = POETRY_2.replace("[extras]", '[package.source]\ntype = "git"\n[extras]').replace('"dev"]', '"main"]')

POETRY_1 = f"""
[[package]]
name = "django"
version = "4.2"
optional = false
[package.dependencies]
asgiref = ">=3"
tzdata = {{version = "*", markers = "sys_platform == 'win32'"}}
[package.extras]
argon2 = ["argon2-cffi (>=19)"]

[[package]]
name = "asgiref"
version = "3"
optional = false

[[package]]
name = "tzdata"
version = "2"
optional = false

[[package]]
name = "pytest"
version = "7"
optional = false

[[package]]
name = "unused"
version = "7"
optional = false

[metadata]
lock-version = "1.1"
[metadata.files]
django = [{{file = "d.whl", hash = "{A}"}}]
asgiref = [{{file = "a.whl", hash = "{B}"}}]
tzdata = [{{file = "t.whl", hash = "{C}"}}]
pytest = [{{file = "p.whl", hash = "{A}"}}]
"""
PYPROJECT_1 = """
[tool.poetry.dependencies]
python = "^3.11"
Django = "^4.2"
[tool.poetry.dev-dependencies]
pytest = "*"
"""

TEXT = f"""
# Made by uv.
--index-url https://user:pass@index.example.com/
--extra-index-url=https://other.example.com
--only-binary :all:
-r more/other.txt
Django==5.2.1 ; python_version >= "3.10" \\
    --hash={B} \\
    --hash={A}   # via -r requirements.in
psycopg[binary]==3.2.1 --hash={C}
"""


def reader(**files: str) -> Callable[[str], str | None]:
    return {name.replace("__", "/").replace("_", ".", 1): text for name, text in files.items()}.get


def pins(text: str) -> list[str]:
    return [line.removesuffix(" \\") for line in text.splitlines() if not line.startswith("    ")]


def test_pipfile_lock() -> None:
    read = reader(Pipfile_lock=PIPFILE)
    lock = read_lock("Pipfile.lock", read)
    assert lock.text == (
        f"django==5.2.1 ; python_version >= '3.10' \\\n    --hash={A} \\\n    --hash={B}\n"
        f"psycopg[binary]==3.2.1 \\\n    --hash={A}\n"
    )
    assert lock.names == {"django", "psycopg"}
    assert pins(read_lock("Pipfile.lock", read, ("dev",)).text)[-1] == "pytest==8.0.0"


def test_uv_lock() -> None:
    read = reader(uv_lock=UV)
    lock = read_lock("uv.lock", read)
    assert pins(lock.text) == [
        "django==5.2.1",
        "numpy==1.0 ; python_version < '3.12'",
        "numpy==2.0 ; python_version >= '3.12'",
        "tzdata==2 ; os_name == 'nt' or sys_platform == 'win32'",
        "uvicorn==0.30",
        "uvloop==1 ; sys_platform != 'win32'",
    ]
    assert f"--hash={A}" in lock.text
    assert f"--hash={B}" in lock.text
    assert read_lock("uv.lock", read, ("dev",), ("s3",)).names - lock.names == {"pytest", "boto3"}


def test_poetry_2_lock() -> None:
    read = reader(poetry_lock=POETRY_2)
    assert pins(read_lock("poetry.lock", read).text) == ['colorama==0.4 ; sys_platform == "win32"', "django==5.2.1"]
    both = read_lock("poetry.lock", read, ("dev",), ("cache",)).text
    assert pins(both) == [
        'colorama==0.4 ; (sys_platform == "win32") or (platform_system == "Windows")',
        "django==5.2.1",
        "pytest==8",
        'redis==5 ; python_version >= "3.11"',
    ]


def test_poetry_1_lock() -> None:
    read = reader(poetry_lock=POETRY_1, pyproject_toml=PYPROJECT_1)
    expected = ["asgiref==3", "django==4.2", "tzdata==2 ; sys_platform == 'win32'"]
    assert pins(read_lock("poetry.lock", read).text) == expected
    assert pins(read_lock("poetry.lock", read, ("dev",)).text)[2] == "pytest==7"
    with pytest.raises(LockError, match=r"pyproject\.toml must lie beside it"):
        read_lock("poetry.lock", reader(poetry_lock=POETRY_1))


def test_requirements_text() -> None:
    read = reader(requirements_txt=TEXT, more__other_txt=f"asgiref==3.1 --hash={A}\n", **{"requirements-dev_txt": ""})
    lock = read_lock("requirements.txt", read)
    assert pins(lock.text) == [
        "--only-binary :all:",
        "asgiref==3.1",
        'django==5.2.1 ; python_version >= "3.10"',
        "psycopg[binary]==3.2.1",
    ]
    assert lock.text.count("--hash=") == 4
    assert read_lock("requirements.txt", read, ("dev",)).text == lock.text


def test_comments_and_order_do_not_count() -> None:
    one = read_lock("requirements.txt", reader(requirements_txt=f"a==1 --hash={A}\nB.c==2 --hash={B} --hash={C}\n"))
    two = read_lock(
        "requirements.txt", reader(requirements_txt=f"# new\nb-c==2 \\\n  --hash={C} \\\n  --hash={B}\na==1 --hash={A}")
    )
    assert one.text == two.text


@pytest.mark.parametrize("name", ["Pipfile.lock", "uv.lock", "poetry.lock", "requirements.txt"])
def test_no_address_of_an_index_is_taken_over(name: str) -> None:
    files = {"Pipfile.lock": PIPFILE, "uv.lock": UV, "poetry.lock": POETRY_2, "requirements.txt": TEXT}
    text = read_lock(name, {**files, "more/other.txt": ""}.get).text
    assert "://" not in text
    assert "pass" not in text


def test_which_lock_file() -> None:
    assert find_lock({"requirements.txt": "", "uv.lock": "", "requirements.in": ""}.get) == "uv.lock"
    assert find_lock({"requirements.txt": "", "uv.lock": ""}.get, "requirements.txt") == "requirements.txt"


@pytest.mark.parametrize(
    ("files", "name", "sentence"),
    [
        (
            {"requirements.in": "django"},
            "",
            "requirements.in alone does not pin anything; compile it with: uv pip compile --generate-hashes "
            "--no-emit-index-url requirements.in -o requirements.txt, and commit requirements.txt.",
        ),
        ({"Pipfile": ""}, "", "There is a Pipfile but no Pipfile.lock; make it with: pipenv lock."),
        ({}, "", "The application source has no lock file (uv.lock, poetry.lock, Pipfile.lock, requirements.txt)"),
        ({}, "uv.lock", "There is no file uv.lock in the application source."),
        ({"requirements.txt": "a==1\n"}, "", "requirements.txt has no hashes for a; compile it with: uv pip compile"),
        ({"requirements.txt": "\na>=1\n"}, "", "requirements.txt line 2 is not a package pinned with ==: a>=1."),
        ({"requirements.txt": "-e git+https://me:pw@x/y"}, "", "line 1 is not a package pinned with ==: -e git+https://(hidden)@x/y."),
        ({"requirements.txt": "-r requirements.txt"}, "", "requirements.txt includes itself."),
        ({"requirements.txt": "-r b.txt"}, "", "requirements.txt includes b.txt, which is not in the source."),
        ({"Pipfile.lock": "{"}, "", "Pipfile.lock cannot be read: it is not JSON"),
        ({"Pipfile.lock": '{"default": {"x": {"git": "a"}}}'}, "", "x in Pipfile.lock comes from no package index"),
        ({"uv.lock": "["}, "", "uv.lock is not valid TOML"),
        ({"uv.lock": "version = 1"}, "", "uv.lock has no project of its own"),
        (
            {"poetry.lock": POETRY_GIT},
            "",
            "pytest in poetry.lock comes from no package index",
        ),
    ],
)  # fmt: skip
def test_refusals(files: dict[str, str], name: str, sentence: str) -> None:
    with pytest.raises(LockError) as refused:
        read_lock(find_lock(files.get, name), files.get)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "known"),
    [("Pipfile.lock", PIPFILE, "dev"), ("uv.lock", UV, "dev"), ("poetry.lock", POETRY_2, "dev")],
)
def test_unknown_group(name: str, text: str, known: str) -> None:
    with pytest.raises(LockError, match=rf"{name} has no dependency group 'docs' \(groups: {known}\)"):
        read_lock(name, {name: text}.get, ("docs",))


def test_hashes_can_be_waived() -> None:
    assert read_lock("requirements.txt", {"requirements.txt": "a==1"}.get, require_hashes=False).text == "a==1\n"
