# SPDX-License-Identifier: GPL-3.0-or-later
"""A cycle of the default inventory, as the README promises it, and of an environment that has gone bad with time."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Project, Run
from .minimal import LEGACY, Minimal

pytestmark = [pytest.mark.containers, pytest.mark.slow]


def test_recreate_and_swap_works_out_of_the_box(project: Project, first_deploy: Run) -> None:
    localstalk = project.localstalk
    before, instances = localstalk.environment(), localstalk.deployments()
    run = project.play("recreate_and_swap.yml")
    assert run.rc == 0, run.output
    assert "result: done" in run.output
    after = localstalk.environment()  # there is only one
    assert after["EnvironmentId"] != before["EnvironmentId"]
    assert (after["CNAME"], after["VersionLabel"]) == (before["CNAME"], before["VersionLabel"])
    assert len(localstalk.deployments()) == len(instances)
    assert not set(localstalk.deployments()) & set(instances)
    page = localstalk.page()
    assert f'id="version-label">{after["VersionLabel"]}<' in page
    assert any(one in page for one in localstalk.deployments())


def test_the_next_deploy_finds_nothing_to_do(project: Project, first_deploy: Run) -> None:
    run = project.play("deploy.yml")
    assert run.rc == 0, run.output
    assert run.count("changed") == 0


LEAKING = r"""
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my @kept;
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  my $leaks = <$client> =~ m{^GET /leak };
  while (<$client>) { last if /^\r?$/ }
  push @kept, "x" x 8_000_000 if $leaks;
  open my $status, "<", "/proc/self/status" or die;
  my ($size) = map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$status>;
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($size) . "\r\n\r\n$size";
  close $client;
}
"""
HOOKS = "/opt/elasticbeanstalk/hooks/appdeploy/post"
STALE = f"""\
files:
  {HOOKS}/50_legacy.sh:
    mode: '000755'
    content: |
      #!/bin/bash
      echo legacy >> /tmp/legacy
"""
HASTE = {
    "force": True,
    "poll_interval": 1,
    "bake_time": 1,
    "request_settle_time": 20,
    "max_decision_age": 15,
    "dns_ttl": 2,
    "dns_margin": 1,
    "drain_timeout": 30,
}


def test_memory_that_leaked_and_hooks_that_nobody_removed_are_gone(project: Project, tmp_path: Path) -> None:
    """What the nightly cycle is for: on the legacy platform hooks of older versions stay, and run with every deploy."""
    minimal = Minimal.make(project, tmp_path, "worn", eb_platform=LEGACY, eb_recreate=HASTE)
    (minimal.folder / "server.pl").write_text(LEAKING)
    config = minimal.folder / ".ebextensions" / "50_legacy.config"
    config.parent.mkdir()
    config.write_text(STALE)
    assert minimal.deploy().rc == 0
    config.unlink()
    again = minimal.deploy()
    assert again.rc == 0, again.output
    (worn,) = minimal.instances()
    assert minimal.shell(worn, f"wc -l < /tmp/legacy; ls {HOOKS}") == "2\n50_legacy.sh\n", "a stale hook still runs"
    new = int(minimal.page())
    for _ in range(10):
        minimal.page("leak")
    assert int(minimal.page()) > new + 70_000
    run = project.play("recreate_and_swap.yml", "-i", str(minimal.inventory))
    assert run.rc == 0, run.output
    (fresh,) = minimal.instances()
    assert fresh != worn
    assert int(minimal.page()) < new + 10_000
    assert minimal.shell(fresh, f"cat /tmp/legacy 2>/dev/null; ls {HOOKS}") == ""
    minimal.terminate()
