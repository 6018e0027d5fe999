# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command of the preset collectstatic: Django's own, made to copy every file whatever the dates say.

Django skips a file whose copy is not older than its source, by the time of the copy (documentation of
django.contrib.staticfiles, "collectstatic"). Where copies outlive a deployment (S3, EFS, a volume), a version that was
committed before the last copy was made would never get there; so the sources are touched first. Only what that
documentation names is used: finders, the storage, and the command. Needs Django 1.10 or later (shell --command).
"""

from __future__ import annotations

import shlex

# Runs in the container, without functions: older Djangos execute it in a scope that these could not look into.
# A day ahead is more than the clocks of two machines and their time zones differ by. It must not be one fixed date: a
# server that makes its ETag of date and size would then have the same for two versions.
PROGRAM = """
import os, time
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage as copies
from django.core.management import call_command
ahead = time.time() + 86400
seen, compared, replaced = set(), 0, 0
for finder in get_finders():
    for path, sources in finder.list([]):
        name = os.path.join(getattr(sources, "prefix", None) or "", path)
        if name in seen:
            continue
        seen.add(name)
        try:
            os.utime(sources.path(path), (ahead, ahead))
            continue
        except (OSError, NotImplementedError):
            compared += 1
        if not copies.exists(name):
            continue
        with sources.open(path) as new:
            with copies.open(name) as old:
                same = new.read() == old.read()
        if not same:
            with sources.open(path) as new:
                copies.delete(name)
                copies.save(name, new)
            replaced += 1
if compared:
    print("%d static files cannot be touched here (read-only, or of another user), so they were compared with "
          "their copies by content; %d were replaced." % (compared, replaced))
call_command("collectstatic", interactive=False)
"""

COMMAND = f"python manage.py shell -c {shlex.quote(PROGRAM)}"
