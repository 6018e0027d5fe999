# SPDX-License-Identifier: GPL-3.0-or-later
"""moto's S3, used from the inside."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localstalk.keys import Key
from localstalk.model.errors import InvalidParameterCombination

_URL_SECONDS = 900
"""Log links are valid for 15 minutes (docs/elastic_beanstalk.md §1.7)."""


class Storage:
    """S3 of one account, seen from one region."""

    def __init__(self, account: str, region: str, signer: Key) -> None:
        self.account = account
        self.region = region
        self._signer = signer

    @property
    def _backend(self) -> Any:
        from moto.backends import get_backend
        from moto.utilities.utils import get_partition

        return get_backend("s3")[self.account][get_partition(self.region)]

    def ensure_bucket(self, name: str) -> None:
        """Create a bucket unless it is there."""
        if name not in self._backend.buckets:
            self._backend.create_bucket(name, self.region)

    def check(self, bucket: str, key: str) -> None:
        """Raise the service's error unless the object exists, in a bucket of this region."""
        found = self._backend.buckets.get(bucket)
        elsewhere = found is not None and found.region_name != self.region
        if elsewhere or self.size(bucket, key) is None:
            raise InvalidParameterCombination(
                f"Unable to download from S3 location (Bucket: {bucket}  Key: {key}). "
                f"Reason: {'Moved Permanently' if elsewhere else 'Not Found'}"
            )

    def _object(self, bucket: str, key: str) -> Any:
        if bucket not in self._backend.buckets:
            return None
        return self._backend.get_object(bucket, key)

    def size(self, bucket: str, key: str) -> int | None:
        """Bytes of an object, or None when there is none."""
        found = self._object(bucket, key)
        return None if found is None else int(found.size)

    def read(self, bucket: str, key: str) -> bytes | None:
        """Content of an object, or None when there is none."""
        found = self._object(bucket, key)
        return None if found is None else bytes(found.value)

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object."""
        self.ensure_bucket(bucket)
        self._backend.put_object(bucket, key, content)

    def delete(self, bucket: str, key: str) -> bool:
        """Delete an object; whether it was there."""
        if self._object(bucket, key) is None:
            return False
        self._backend.delete_object(bucket, key)
        return True

    def url(self, endpoint: str, bucket: str, key: str) -> str:
        """A presigned URL under the address that the client used, good for a plain GET."""
        request = AWSRequest("GET", f"{endpoint}/{quote(bucket)}/{quote(key)}")
        credentials = Credentials(self._signer.access_key, self._signer.secret_key)
        S3SigV4QueryAuth(credentials, "s3", self.region, expires=_URL_SECONDS).add_auth(request)
        return str(request.url)
