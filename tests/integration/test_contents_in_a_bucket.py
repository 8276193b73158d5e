"""Large files in a bucket, against a real S3-compatible server. Needs `countersign[s3]` and `moto[server]`."""

import io
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from governance.actions import documents
from portal import content
from portal.errors import Refused
from portal.models import Content
from tests.cast import Cast
from tests.factories import bundle_registered

boto3 = pytest.importorskip("boto3", reason="countersign[s3] is not installed")
pytest.importorskip("storages", reason="countersign[s3] is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed")

# botocore and moto have warnings of their own.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    _host, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket of its own that the portal is told of, as the boto3 resource."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    key = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    found = boto3.resource("s3", endpoint_url=server, **key).create_bucket(Bucket=f"b{secrets.token_hex(6)}")
    settings.STORAGES = {
        **settings.STORAGES,
        "contents": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": found.name,
                "endpoint_url": server,
                "region_name": "us-east-1",
                "access_key": "key",
                "secret_key": "secret",
                "location": "countersign",
                "addressing_style": "path",
                "default_acl": None,
                "file_overwrite": True,
                "max_memory_size": 2_500_000,
            },
        },
    }
    settings.CONTENTS_ABOVE_BYTES = 1000
    return found


def names(bucket: Any) -> list[str]:
    return [one.key for one in bucket.objects.all()]


def test_what_is_large_is_in_the_bucket_and_read_from_it(cast: Cast, bucket: Any) -> None:
    text = b"# Purpose\n" + b"Offers. " * 5000
    made = documents.upload(
        by=cast.dev,
        bundle=bundle_registered(cast),
        kind="intended-use",
        title="Use",
        file=io.BytesIO(text),
        name="use.md",
    )
    row = Content.objects.get(pk=made.digest)
    assert (row.kept_in, bytes(row.body)) == ("contents", b"")
    name = f"countersign/{made.digest[:2]}/{made.digest}"
    assert names(bucket) == [name]
    assert content.get(made.digest) == text
    content.put_staged(content.stage_bytes(text, "text/plain"))
    assert names(bucket) == [name]
    bucket.put_object(Key=name, Body=b"other")
    with pytest.raises(Refused) as refused:
        content.get(made.digest)
    assert refused.value.code == "content_altered"
    content.stage_bytes(text, "text/plain")
    assert content.get(made.digest) == text
    bucket.delete_objects(Delete={"Objects": [{"Key": name}]})
    with pytest.raises(Refused) as refused:
        content.get(made.digest)
    assert refused.value.code == "content_missing"


def test_a_large_file_travels_in_pieces(bucket: Any) -> None:
    """Beyond boto3's own threshold of 8 MB it is sent and read as several."""
    body = secrets.token_bytes(20_000_000)
    staged = content.stage(io.BytesIO(body), "application/pdf")
    assert (staged.size, staged.body, staged.kept_in) == (len(body), b"", "contents")
    assert b"".join(content.pieces(staged.digest, "contents")) == body


@pytest.mark.usefixtures("bucket")
def test_a_server_that_is_away_is_told_without_its_words(settings: Any) -> None:
    away = {**settings.STORAGES["contents"]}
    away["OPTIONS"] = {**away["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = {**settings.STORAGES, "contents": away}
    with pytest.raises(Refused) as refused:
        content.stage_bytes(b"words " * 500, "text/plain")
    assert (refused.value.status, refused.value.code) == (503, "storage_away")
    assert "127.0.0.1" not in refused.value.sentence
