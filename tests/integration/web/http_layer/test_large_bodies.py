"""A large body takes the same memory again and again, however much of it comes."""

import io
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask import Flask
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader
from requests_toolbelt import MultipartEncoder

from shared.storage.filesystem import FolderStorage
from tests.factories.files import FILES
from web.http_layer import multipart
from web.paced_socket import PacedSocket

SIZE = 32 * 1024**2


@contextmanager
def arriving(form: MultipartEncoder) -> Iterator[Body]:
    """What gunicorn reads while somebody sends `form`."""
    length = form.len
    ours, theirs = socket.socketpair()

    def send() -> None:
        while piece := form.read(64 * 1024):
            theirs.sendall(piece)

    paced = PacedSocket(ours)
    paced.setblocking(True)
    sender = threading.Thread(target=send)
    sender.start()
    with closing(paced), closing(theirs):
        yield Body(LengthReader(SocketUnreader(paced), length))
        sender.join()


def receive(form: MultipartEncoder, folder: Path) -> str:
    """The hash of what came."""
    length, app = form.len, Flask("of a test")
    with (
        arriving(form) as body,
        app.test_request_context(
            method="POST",
            environ_overrides={
                "wsgi.input": body,
                "CONTENT_LENGTH": str(length),
                "CONTENT_TYPE": form.content_type,
            },
        ),
        multipart.receive_body(FolderStorage(folder), single=True, fields=frozenset()) as received,
    ):
        return received.content()


def page_faults(form: MultipartEncoder, folder: Path) -> int:
    """In the thread that receives, once such a thread has received before."""
    counted: list[int] = []

    def count() -> None:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        receive(form, folder)
        counted.append(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    return counted[0]


def form_of(size: int) -> MultipartEncoder:
    content = FILES.mp4()
    file = io.BytesIO(content + bytes(size - len(content)))
    return MultipartEncoder({"file": ("a.mp4", file, "video/mp4")})


def test_the_pages_of_memory_are_used_again(tmp_path: Path) -> None:
    small = page_faults(form_of(SIZE // 32), tmp_path)
    large = page_faults(form_of(SIZE), tmp_path)
    assert large - small < SIZE / resource.getpagesize() / 4
