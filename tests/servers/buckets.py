"""An S3 server of one's own: moto's, as a process, with an empty bucket."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import requests

from local.child import ROOT
from local.ports import free_port
from tests.timing.patience import PATIENCE

BUCKET = "clips"


@dataclass(kw_only=True)
class Bucket:
    """`environ`: what a process needs to find it, besides its `url`."""

    url: str
    endpoint: str
    environ: dict[str, str]

    def names(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def read(self, name: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        return content

    def put(self, name: str, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=name, Body=content)

    def unfinished(self) -> int:
        """How many uploads in parts were begun, and neither ended nor aborted."""
        return len(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    def empty(self) -> None:
        listed = self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        for begun in listed:
            self._client.abort_multipart_upload(
                Bucket=BUCKET, Key=begun["Key"], UploadId=begun["UploadId"]
            )
        for name in self.names():
            self._client.delete_object(Bucket=BUCKET, Key=name)

    @cached_property
    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environ["AWS_DEFAULT_REGION"],
        )


@contextmanager
def running_bucket(log: Path) -> Iterator[Bucket]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for(endpoint, process, log)
        environ = {
            "AWS_ACCESS_KEY_ID": "a-key-of-the-tests",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
        }
        bucket = Bucket(url=f"s3://{BUCKET}/media", endpoint=endpoint, environ=environ)
        bucket._client.create_bucket(Bucket=BUCKET)
        yield bucket
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _wait_for(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            requests.get(f"{endpoint}/moto-api/data.json", timeout=60)
            return
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
