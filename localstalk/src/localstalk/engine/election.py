# SPDX-License-Identifier: GPL-3.0-or-later
"""Leader election: one leader per command invocation, the first instance that asks (docs/elastic_beanstalk.md §7).

The election file lies in a directory that all instances of an environment share. Its name is derived from the
invocation; whoever creates it leads, and it names the leader.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from .layout import Layout
from .logs import EngineLog
from .process import run
from .request import CommandError, Request

DIRECTORY = "run/localstalk/election"
NOT_LEADER = 5
COMMAND_NAME = "ElasticBeanstalkCommand-AWSEBAutoScalingGroup"


def elect(directory: Path, invocation_id: str, listener_id: str) -> bool:
    """Return whether ``listener_id`` leads the invocation; asking again gives the same answer."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / hashlib.sha256(invocation_id.encode()).hexdigest()[:32]
    own = path.with_name(f"{path.name}.{listener_id}")
    own.write_text(listener_id)
    try:
        # A link appears together with its content: nobody can read a half-written election.
        os.link(own, path)
    except FileExistsError:
        return path.read_text() == listener_id
    finally:
        own.unlink(missing_ok=True)
    return True


def run_election(layout: Layout, log: EngineLog, request: Request) -> bool:
    """Call ``cfn-elect-cmd-leader`` as EB's engine does; raises CommandError when it cannot tell."""
    instance = request.instance
    log.info(f"Running leader election for instance {instance.instance_id}...")
    if not request.elects_leader:
        log.info("Instance is NOT Leader.")
        return False
    log.info("Calling the cfn-elect-cmd-leader to elect the command leader.")
    argv = ["/opt/aws/bin/cfn-elect-cmd-leader", "--stack", instance.stack_arn, "--command-name", COMMAND_NAME]
    argv += ["--invocation-id", request.invocation_id, "--listener-id", instance.instance_id]
    argv += ["--region", instance.region]
    log.info(f"Running command: {' '.join(argv)}")
    argv[0] = str(layout.at(argv[0]))
    done = run(argv, env={"PATH": layout.search_path, "LOCALSTALK_ROOT": str(layout.root)})
    if done.returncode == 0:
        log.info("Instance is Leader.")
        return True
    if done.returncode == NOT_LEADER:
        log.info("Instance is NOT Leader.")
        return False
    raise CommandError(f"Failed to elect command leader: {done.output.strip()}")
