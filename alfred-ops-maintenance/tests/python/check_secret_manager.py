"""Holds Google's own Secret Manager client against the server of this crate's tests.

Usage: check_secret_manager.py ENDPOINT

Leaves the secret `python` of projects/alfred with its version 1 destroyed and its version 2 `two`, the active one.
"""

import sys

from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager_v1 as sm
from google.protobuf.field_mask_pb2 import FieldMask

PROJECT = "projects/alfred"
NAME = f"{PROJECT}/secrets/python"
SECONDS = 20


def refused(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError(f"not refused by {error}")


def main():
    client = sm.SecretManagerServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options=ClientOptions(api_endpoint=sys.argv[1]),
    )

    def once(method, **request):
        return method(request=request, retry=None, timeout=SECONDS)

    def version(number):
        return f"{NAME}/versions/{number}"

    refused(exceptions.NotFound, lambda: once(client.get_secret, name=NAME))
    new = {"parent": PROJECT, "secret_id": "python", "secret": {"replication": {"automatic": {}}}}
    assert once(client.create_secret, **new).name == NAME
    refused(exceptions.Conflict, lambda: once(client.create_secret, **new))
    for number, data in enumerate([b"one", b"two", b"three"], 1):
        added = once(client.add_secret_version, parent=NAME, payload={"data": data})
        assert added.name == version(number) and added.state == sm.SecretVersion.State.ENABLED, added
    found = [each.name for each in once(client.list_secret_versions, parent=NAME)]
    assert found == [version(3), version(2), version(1)], found
    assert once(client.access_secret_version, name=version(2)).payload.data == b"two"

    old = once(client.get_secret_version, name=version(1))
    assert once(client.disable_secret_version, name=old.name, etag=old.etag).state == sm.SecretVersion.State.DISABLED
    refused(exceptions.Conflict, lambda: once(client.enable_secret_version, name=old.name, etag=old.etag))
    refused(exceptions.BadRequest, lambda: once(client.access_secret_version, name=old.name))
    assert once(client.destroy_secret_version, name=old.name).state == sm.SecretVersion.State.DESTROYED
    refused(exceptions.BadRequest, lambda: once(client.enable_secret_version, name=old.name))
    refused(exceptions.NotFound, lambda: once(client.get_secret_version, name=version(9)))

    secret = once(client.get_secret, name=NAME)

    def point(number):
        change = {"name": NAME, "etag": secret.etag, "version_aliases": {"active": number}}
        return once(client.update_secret, secret=change, update_mask=FieldMask(paths=["version_aliases"]))

    refused(exceptions.BadRequest, lambda: point(9))
    assert dict(point(2).version_aliases) == {"active": 2}
    refused(exceptions.Conflict, lambda: point(3))
    print("passed")


if __name__ == "__main__":
    main()
