"""A resumable upload on the whole stack: to Postiz, to be deleted; one that is left expires."""

from contextlib import closing
from pathlib import Path

import psycopg2
import requests
from tusclient.client import TusClient

from tests.factories.files import FILES
from tests.scenarios.big_files import Press
from tests.servers.stacks import RunningStack
from tests.timing.patience import PATIENCE, wait_until


def test_a_resumable_upload_reaches_postiz_and_one_that_is_left_expires(
    stack: RunningStack, tmp_path: Path
) -> None:
    press = Press(stack)
    path = tmp_path / "clip.mp4"
    path.write_bytes(FILES.mp4(21))
    client = TusClient(f"{press.url}/uploads", headers=press.headers)
    whole, left = (client.uploader(str(path), chunk_size=1000) for _ in range(2))
    whole.upload()
    left.upload(stop_at=1000)
    tus = {**press.headers, "Tus-Resumable": "1.0.0"}
    told = requests.head(str(whole.url), headers=tus, timeout=PATIENCE).headers
    press.arrived({"id": told["Pressroom-Job-Id"]})
    medium = f"{press.url}/media/{told['Pressroom-Media-Id']}"
    assert requests.delete(medium, headers=press.headers, timeout=PATIENCE).status_code == 204
    partial = stack.home / "media" / "_partial"
    assert len(list(partial.iterdir())) == 1
    opened = closing(psycopg2.connect(stack.facts()["database_url"]))
    with opened as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE incoming_uploads SET expires_at = now()")
    wait_until(lambda: not list(partial.iterdir()))
    assert requests.head(str(left.url), headers=tus, timeout=PATIENCE).status_code == 404
