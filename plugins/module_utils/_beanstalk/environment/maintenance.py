# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page with 503 in place of the application, from the nginx of each instance.

What is in ``/etc/nginx/conf.d/elasticbeanstalk`` belongs to the server that Elastic Beanstalk configures, until the
next deployment, configuration update or restart writes it anew (elastic_beanstalk.md §5.4). Instances that come later
do not have it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError, AnsibleBeanstalkWaitError
from ..core.waiters import Deadline
from ..leader.sources import Services
from ..observe import environments
from .commands import Result, choose_instances, run_on

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Maintenance</title>
<h1>Maintenance</h1>
<p>We are back soon.</p>
</html>"""
_CONF = "/etc/nginx/conf.d/elasticbeanstalk/jack_maintenance.conf"
_PAGE = "/var/lib/jack.beanstalk/jack-maintenance.html"
# Load balancers go on to get 200, also from an application that is stopped. Others are sent to the page by a path that
# nobody else can ask for. What they got is not logged, as Elastic Beanstalk judges health by the log.
_NGINX = """# jack.beanstalk {digest}
set $jack_maintenance 1;
if ($http_user_agent ~ "^ELB-HealthChecker/") {{ return 200; }}
if ($uri = "/jack-maintenance.html") {{ set $jack_maintenance 0; }}
if ($jack_maintenance) {{ return 503; }}
error_page 503 /jack-maintenance.html;
location = /jack-maintenance.html {{
    internal;
    root /var/lib/jack.beanstalk;
    charset utf-8;
    access_log off;
    add_header Retry-After {retry_after} always;
    add_header Cache-Control no-store always;
}}
"""
_STATE = f"""[ -d /etc/nginx/conf.d/elasticbeanstalk ] && [ -f /var/run/nginx.pid ] || {{ echo none; exit 0; }}
sed -n '1s/^# jack.beanstalk //p' {_CONF} 2>/dev/null | grep . || echo off
"""
# An nginx that does not take it goes on as it is, and the file goes.
_RELOAD = """/usr/sbin/nginx -t -q || {{ {undo}; exit 1; }}
/usr/sbin/nginx -s reload
"""
_ON = """umask 022
mkdir -p /var/lib/jack.beanstalk
printf %s {page} | base64 -d >{path}
printf %s {conf} | base64 -d >{target}
"""


def maintain(services: Services, params: Mapping[str, Any], check_mode: bool) -> tuple[bool, Result]:
    """Put the page on every instance of an environment, or take it away; returns whether that changes anything.

    In check mode the instances are asked, and nothing is written.
    """
    if params["retry_after"] < 1:
        raise AnsibleBeanstalkRefusedError(
            message=f"retry_after is {params['retry_after']}: give the seconds until clients come back, at least 1."
        )
    environment = environments.find_one(services.eb, params)
    name, status = environment["EnvironmentName"], environment.get("Status")
    if status != "Ready":
        raise AnsibleBeanstalkRefusedError(
            message=f"{name} is {status}, and what is being done now would take the page away: wait until it is Ready."
        )
    instances = choose_instances(services, environment, {**params, "target": "all"})
    deadline = Deadline(params["wait_timeout"], params["poll_interval"])
    before = _states(services.ssm, name, instances, deadline)
    if without := sorted(one for one, state in before.items() if state == "none"):
        raise AnsibleBeanstalkRefusedError(
            message=f"Elastic Beanstalk's nginx does not run on {', '.join(without)} of {name} (a compose project, or "
            "another proxy server), so there is nothing that could show a page; nothing was changed."
        )
    wanted, script = _wanted(params)
    behind = [one for one in instances if before[one] != wanted]
    if behind and not check_mode:
        _checked(name, run_on(services.ssm, behind, script, deadline, 60))
    result = {
        "environment_id": environment["EnvironmentId"],
        "environment_name": name,
        "instances": [
            {"instance_id": one, "maintenance": wanted != "off", "changed": before[one] != wanted} for one in instances
        ],
    }
    return bool(behind), result


def _states(ssm: Any, name: str, instances: Sequence[str], deadline: Deadline) -> dict[str, str]:
    """By instance: ``none`` without EB's nginx, ``off``, or the digest of the page and its settings."""
    results = _checked(name, run_on(ssm, instances, _STATE, deadline, 60))
    return {one["instance_id"]: one["stdout"].strip() for one in results}


def _checked(name: str, results: list[Result]) -> list[Result]:
    failed = [one for one in results if one["status"] != "Success"]
    if failed:
        said = (failed[0]["stderr"].strip() or failed[0]["stdout"].strip() or "nothing was said").splitlines()[-1]
        raise AnsibleBeanstalkWaitError(
            f"The page of {name} could not be changed on {len(failed)} of {len(results)} instance(s), first on "
            f"{failed[0]['instance_id']} ({failed[0]['status']}, exit code {failed[0]['rc']}): {said}.",
            {"results": results},
        )
    return results


def _wanted(params: Mapping[str, Any]) -> tuple[str, str]:
    """What instances say when they are as they should be, and the script that makes them so."""
    if not params["enabled"]:
        return "off", f"rm -f {_CONF} {_PAGE}\n" + _RELOAD.format(undo="true")
    page = params["page"].encode()
    digest = hashlib.sha256(page + b"\0" + str(params["retry_after"]).encode()).hexdigest()[:16]
    conf = _NGINX.format(digest=digest, retry_after=params["retry_after"])
    made = _ON.format(page=_encoded(page), path=_PAGE, conf=_encoded(conf.encode()), target=_CONF)
    return digest, made + _RELOAD.format(undo=f"rm -f {_CONF}")


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
