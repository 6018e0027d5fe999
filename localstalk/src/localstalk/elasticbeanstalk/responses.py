# SPDX-License-Identifier: GPL-3.0-or-later
"""From an HTTP request to an operation and back; every failure leaves as an error answer of the query protocol."""

from __future__ import annotations

import logging
import uuid
from types import ModuleType
from typing import Any

from botocore.model import OperationNotFoundError
from moto.elasticbeanstalk.responses import EBResponse
from werkzeug.exceptions import HTTPException

from localstalk.elasticbeanstalk import parameters, permissions, wire, wire_json
from localstalk.elasticbeanstalk.validation import validate
from localstalk.model.errors import ServiceError
from localstalk.model.state import Call

log = logging.getLogger(__name__)
_SOURCE = "TemplateSpecification.TemplateSource."
Answer = tuple[int, dict[str, str], str]


class Response(EBResponse):  # type: ignore[misc]
    """One request. moto finds region, account and principal; the rest is ours."""

    _permission: str | None = None

    def parse_parameters(self, request: Any) -> None:
        """Left to :meth:`call_action`, where a failure becomes an error answer."""

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Answer:
        request_id = str(uuid.uuid4())
        try:
            self.setup_class(request, full_url, headers)
            return self._call(request_id)
        except ServiceError as error:
            return self._failure(error, request_id)
        except HTTPException as error:
            return self._failure(_denied(error), request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            message = "The request processing has failed because of an unknown error, exception or failure."
            return self._failure(ServiceError("InternalFailure", message, 500), request_id)

    @property
    def _wire(self) -> ModuleType:
        """In what the client wants its answer."""
        wanted = (self.querystring.get("ContentType") or [""])[0]
        as_json = wanted.upper() == "JSON" or wire_json.CONTENT_TYPE in (self.headers.get("Accept") or "")
        return wire_json if as_json else wire

    def _failure(self, error: ServiceError, request_id: str) -> Answer:
        headers = self._answer_headers(request_id) | {"status": str(error.status)}
        return error.status, headers, self._wire.error(error.type, error.code, error.message, request_id)

    def _answer_headers(self, request_id: str) -> dict[str, str]:
        return {"Content-Type": self._wire.CONTENT_TYPE, "x-amzn-RequestId": request_id}

    def _call(self, request_id: str) -> Answer:
        from localstalk.elasticbeanstalk.models import backends

        # Old samples of the documentation say Operation= instead of Action= (docs/elastic_beanstalk.md §1.0).
        action = (self.querystring.get("Action") or self.querystring.get("Operation") or [""])[0]
        if not action:
            raise ServiceError("MissingAction", "The request must contain the parameter Action.")
        try:
            operation = wire.service_model().operation_model(action)
        except OperationNotFoundError:
            message = f"Could not find operation {action} for version 2010-12-01"
            raise ServiceError("InvalidAction", message) from None
        self.querystring["Action"] = [action]
        params = parameters.read(operation, {name: values[0] for name, values in self.querystring.items()})
        backend = backends()[self.current_account][self.region]
        self._check_permissions(permissions.needed(backend.region, action, params))
        validate(operation, params)
        clone_of, contents = (
            (self.querystring.get(_SOURCE + name) or [None])[0] for name in ("EnvironmentName", "SourceContents")
        )
        call = Call(request_id, action, f"http://{self.headers.get('Host', '127.0.0.1')}", clone_of, contents)
        result = backend.carry_out(call, params)
        return 200, self._answer_headers(request_id), self._wire.answer(operation, result, request_id)

    def _check_permissions(self, needed: list[tuple[str, str]]) -> None:
        for self._permission, arn in needed:
            self._authenticate_and_authorize_normal_action(arn)
        self._permission = None

    def _get_action(self) -> str:
        """What moto takes for the IAM action: it differs from the operation's name where tags are concerned."""
        return self._permission or str(super()._get_action())


def _denied(error: HTTPException) -> ServiceError:
    code = getattr(error, "error_type", None) or error.name
    message = getattr(error, "message", None) or error.description or error.name
    return ServiceError(str(code), str(message), error.code or 403)
