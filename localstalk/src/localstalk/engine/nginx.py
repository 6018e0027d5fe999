# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance's web server: an nginx that serves static files and passes all else on to the application.

See docs/elastic_beanstalk.md §5.4, §6 and §6.1.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from .layout import Layout
from .process import Finished, run
from .request import CommandError

NGINX_CONF = """\
# Elastic Beanstalk Nginx Configuration File
user                    webapp;
error_log               /var/log/nginx/error.log warn;
pid                     /var/run/nginx.pid;
worker_processes        1;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;

    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';

    include       conf.d/*.conf;

    map $http_upgrade $connection_upgrade {
        default     "upgrade";
        ''          "";
    }

    server {
        listen        80 default_server;
        access_log    /var/log/nginx/access.log main;

        client_header_timeout 60;
        client_body_timeout   60;
        keepalive_timeout     60;
        gzip                  off;
        gzip_comp_level       4;

        # Include the Elastic Beanstalk generated locations
        include conf.d/elasticbeanstalk/*.conf;
    }
}
"""

LOCATION_CONF = """\
location / {{
    proxy_pass          {upstream};
    proxy_http_version  1.1;

    proxy_set_header    Connection          $connection_upgrade;
    proxy_set_header    Upgrade             $http_upgrade;
    proxy_set_header    Host                $host;
    proxy_set_header    X-Real-IP           $remote_addr;
    proxy_set_header    X-Forwarded-For     $proxy_add_x_forwarded_for;
}}
"""

STATIC_CONF = """\
location {path} {{
    alias {folder};
    access_log off;
}}
"""

STOP_SECONDS = 2.0
CONTAINER = "http://docker"
"""The application's container, by the name of an upstream that ``point`` writes."""

UPSTREAM_NAME = "elasticbeanstalk-nginx-docker-upstream.conf"


class Nginx:
    """Configures, starts and stops nginx. ``staging`` of AL2+ is ``/var/proxy/staging/nginx``."""

    def __init__(self, layout: Layout, note: Callable[[str], None]) -> None:
        self.layout = layout
        self.note = note
        self.staging = layout.at("/var/proxy/staging/nginx")
        self.active = layout.at("/etc/nginx")
        self.pid_file = layout.at("/var/run/nginx.pid")

    def _run(self, *argv: str) -> Finished:
        self.note(f"Running command: {' '.join(argv)}")
        return run([str(self.layout.at(argv[0])), *argv[1:]], env={"PATH": self.layout.search_path})

    def stage(self, application: Path, upstream: str, static: Mapping[str, str] | None = None) -> None:
        """Write EB's configuration and the user's ``.platform/nginx`` over it to the staging directory.

        ``static`` maps paths of URLs to folders of the application, both as they were given.
        """
        shutil.rmtree(self.staging, ignore_errors=True)
        generated = self.staging / "conf.d/elasticbeanstalk"
        generated.mkdir(parents=True)
        (self.staging / "nginx.conf").write_text(NGINX_CONF)
        (generated / "00_application.conf").write_text(LOCATION_CONF.format(upstream=upstream))
        if static:
            current = self.layout.shown(self.layout.current)
            locations = [STATIC_CONF.format(path=path, folder=f"{current}/{static[path]}") for path in sorted(static)]
            (generated / "01_static.conf").write_text("".join(locations))
        custom = application / ".platform/nginx"
        if custom.is_dir():
            shutil.copytree(custom, self.staging, dirs_exist_ok=True)

    def point(self, address: str, port: int) -> None:
        """Let the upstream ``docker`` be this address, in the staged configuration."""
        upstream = f"upstream docker {{\n    server {address}:{port};\n    keepalive 256;\n}}\n"
        (self.staging / "conf.d" / UPSTREAM_NAME).write_text(upstream)

    def check(self) -> None:
        """Let nginx look at the staged configuration; raises CommandError when it refuses it."""
        argv = ("/usr/sbin/nginx", "-t", "-c", str(self.staging / "nginx.conf"))
        checked = self._run(*argv)
        if checked.returncode != 0:
            raise CommandError(
                f"Command {' '.join(argv)} failed with error exit status {checked.returncode}. Stderr:{checked.stderr}"
            )

    def activate(self) -> None:
        """Replace the active configuration by the staged one."""
        shutil.rmtree(self.active / "conf.d", ignore_errors=True)
        shutil.copytree(self.staging, self.active, dirs_exist_ok=True)

    def start(self) -> None:
        """Start nginx; raises CommandError when it does not start."""
        started = self._run("/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf")
        if started.returncode != 0:
            raise CommandError(f"start proxy failed: {started.stderr.strip()}")

    def stop(self) -> None:
        """Stop nginx and wait for its end, which frees its port; silent when it does not run."""
        try:
            process = os.pidfd_open(int(self.pid_file.read_text()))
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return
        try:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            # Not until the file is gone: nginx removes that before it closes its port.
            if not select.select([process], [], [], STOP_SECONDS)[0]:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [], STOP_SECONDS)
        except ProcessLookupError:
            pass
        finally:
            os.close(process)
