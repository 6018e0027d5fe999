# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's API as an instance reaches it, and the credentials of its instance profile.

Every instance has a unix socket of its own, so that the daemon knows who asks. Nothing of localstalk's administration
is to be had there but the answer to what the instance's metadata service asks: its own role.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from localstalk import accounts
from localstalk.access.guard import INSTANCE
from localstalk.driver import InstanceSpec
from localstalk.engine.imds import ROLE_PATH
from localstalk.server import ADMIN_PATH, Application, StartResponse, answer_json, answer_text, serve_socket

SESSION = timedelta(hours=6)
RENEWAL = timedelta(hours=1)
"""EC2 gives credentials for about six hours and new ones well before they end."""


class InstanceRole:
    """The role of an instance's profile. Credentials are made when first asked for, and stay until near their end."""

    def __init__(self, spec: InstanceSpec) -> None:
        self.spec = spec
        self._lock = threading.Lock()
        self._session: Any = None

    def describe(self) -> dict[str, Any] | None:
        """What the metadata service shows of the profile; None when IAM has no such profile or no role in it."""
        from moto.core.exceptions import ServiceException

        iam = accounts.iam(self.spec.account)
        try:
            profile = iam.get_instance_profile(self.spec.instance_profile)
        except ServiceException:
            return None
        if not profile.roles:
            return None
        role = profile.roles[0]
        session, updated = self._credentials(role.arn)
        info = {"InstanceProfileArn": profile.arn, "InstanceProfileId": profile.id}
        credentials = {
            "Type": "AWS-HMAC",
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.session_token,
            "Expiration": _stamp(session.expiration),
        }
        success = {"Code": "Success", "LastUpdated": _stamp(updated)}
        return {"info": success | info, "role": role.name, "credentials": success | credentials}

    def _credentials(self, role_arn: str) -> tuple[Any, datetime]:
        """A session of the role as STS keeps it, named after the instance as EC2 does, and since when it is there."""
        from moto.backends import get_backend

        sts: Any = get_backend("sts")[self.spec.account]["aws"]
        with self._lock:
            now = datetime.now(UTC).replace(tzinfo=None)
            known = self._session
            if known is None or known.role_arn != role_arn or known.expiration - RENEWAL < now:
                seconds = int(SESSION.total_seconds())
                known = sts.assume_role(self.spec.region, self.spec.instance_id, role_arn, "", seconds, "")
                self._session = known
            return known, known.expiration - SESSION


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def opener(application: Application) -> Callable[[InstanceSpec, Path], Callable[[], None]]:
    """What a driver calls to serve the API to an instance on a unix socket; returns what closes it again."""

    def open_api(spec: InstanceSpec, path: Path) -> Callable[[], None]:
        role = InstanceRole(spec)

        def serve(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            asked = environ.get("PATH_INFO", "")
            environ[INSTANCE] = spec.instance_id
            if not asked.startswith(ADMIN_PATH):
                return application(environ, start_response)
            described = role.describe() if asked == ROLE_PATH else None
            if described is None:
                return answer_text(start_response, 404, "There is no such thing for instances.\n")
            return answer_json(start_response, described)

        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
            bound.bind(str(path))
            path.chmod(0o600)
            bound.listen(128)
            server = serve_socket(serve, f"unix://{path}", bound)
        thread = threading.Thread(target=server.serve_forever, name=f"api-{spec.instance_id}", daemon=True)
        thread.start()

        def close() -> None:
            server.shutdown()
            thread.join()
            server.server_close()
            path.unlink(missing_ok=True)

        return close

    return open_api
