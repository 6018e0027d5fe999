# SPDX-License-Identifier: GPL-3.0-or-later
"""Where moto finds the service: a backend's ``urls`` module lies beside its ``models``."""

from __future__ import annotations

from localstalk.elasticbeanstalk.responses import Response

url_bases = [r"https?://elasticbeanstalk\.(?P<region>[a-zA-Z0-9\-_]+)\.amazonaws.com"]
url_paths = {"{0}/$": Response.dispatch}
