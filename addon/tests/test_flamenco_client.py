# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the API against real HTTP servers on the loopback interface."""

from __future__ import annotations

import base64
import io
import json
import resource
import socket
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flamenco_client import ApiError, BadAnswer, Client, ClientError, ConnectionFailed, TimedOut, models
from flamenco_client.transport import Call

JOB_ID = "123e4567-e89b-42d3-a456-426614174000"


class Answer:
    """What the server sends."""

    def __init__(self, status=200, body=b"", content_type="application/json", headers=()):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = dict(headers)
        if self.body:
            self.headers["Content-Type"] = content_type


class Recorder:
    """Keeps the requests that arrived, and what is to be answered."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []

    @property
    def last(self):
        return self.requests[-1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def log_message(self, *_arguments):
        pass

    def handle_any(self):
        length, start = 0, b""
        for piece in self.pieces():
            start += piece[: 4096 - len(start)]
            length += len(piece)
        self.recorder.requests.append(
            {"method": self.command, "path": self.path, "headers": self.headers, "length": length, "body": start}
        )
        answer = self.recorder.answer
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def pieces(self):
        """The body of the request, a little at a time."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        missing = int(self.headers.get("Content-Length", 0))
        while missing:
            piece = self.rfile.read(min(missing, 1 << 16))
            missing -= len(piece)
            yield piece

    do_GET = do_POST = do_PUT = do_DELETE = handle_any


@contextmanager
def serving(answer, **options):
    """A server that gives one answer to everything, and a client of it."""
    recorder = Recorder(answer)
    handler = type("BoundHandler", (Handler,), {"recorder": recorder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # A client that breaks off is part of these tests.
    server.handle_error = lambda *_arguments: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}" + options.pop("path", "/")
        with Client(address, **options) as client:
            yield client, recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


VERSION = {"version": "3.9", "shortversion": "3.9", "name": "Farm", "git": "x"}


def test_a_typed_answer():
    with serving(Answer(body={**VERSION, "from_the_future": [1, 2]})) as (client, recorder):
        assert client.get_version() == models.FlamencoVersion(**VERSION)
    assert recorder.last["method"] == "GET"
    assert recorder.last["path"] == "/api/v3/version"


@pytest.mark.parametrize("path", ["/flamenco", "/flamenco/"])
def test_the_path_of_the_address_is_kept(path):
    with serving(Answer(body=VERSION), path=path) as (client, recorder):
        client.get_version()
    assert recorder.last["path"] == "/flamenco/api/v3/version"


@pytest.mark.parametrize("address", ["", "manager", "manager:8080", "ftp://manager/", "http://"])
def test_what_is_no_address_is_refused_with_an_example(address):
    with pytest.raises(ValueError, match="http://manager:8080/"):
        Client(address)


def test_path_parameters_are_escaped():
    with serving(Answer(404)) as (client, recorder):
        with pytest.raises(ApiError):
            client.get_job_type("a/b c?d#ä")
        assert recorder.last["path"] == "/api/v3/jobs/type/a%2Fb%20c%3Fd%23%C3%A4"
        for name in ("", ".", ".."):
            with pytest.raises(ValueError):
                client.get_job_type(name)
        assert len(recorder.requests) == 1


def test_query_credentials_and_user_agent():
    options = {"username": "worker", "password": "secret", "user_agent": "Blender"}
    with serving(Answer(204), **options) as (client, recorder):
        assert client.schedule_task(wait=20) is None
    assert recorder.last["path"] == "/api/v3/worker/task?wait=20"
    assert recorder.last["headers"]["User-Agent"] == "Blender"
    expected = "Basic " + base64.b64encode(b"worker:secret").decode()
    assert recorder.last["headers"]["Authorization"] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, "Bearer the-token"),
        (" ", "Bearer the-token"),
        ("Lighting", "Basic " + base64.b64encode(b"Lighting:the-token").decode()),
        ("li:ghting \u5f71", "Basic " + base64.b64encode("lighting \u5f71:the-token".encode()).decode()),
    ],
)
def test_a_token_goes_with_every_request(name, expected):
    with serving(Answer(204), token="the-token", name=name) as (client, recorder):
        assert client.schedule_task() is None
    assert recorder.last["headers"]["Authorization"] == expected


def test_a_job_goes_out_and_comes_back():
    job = models.SubmittedJob(
        name="shot ä",
        type="simple-blender-render",
        submitter_platform="linux",
        settings={"zebra": 1, "apple": [1, {"b": None}]},
        metadata={"project": "x"},
        initial_status=models.JobStatus.PAUSED,
    )
    answered = {
        "name": "shot ä",
        "type": "simple-blender-render",
        "priority": 50,
        "submitter_platform": "linux",
        "settings": {"zebra": 1},
        "id": JOB_ID,
        "created": "2026-01-31T12:00:00.123456789+02:00",
        "updated": "2026-01-31T10:00:00Z",
        "status": "queued",
        "activity": "",
        "steps_completed": 0,
        "steps_total": 7.0,
    }
    with serving(Answer(body=answered)) as (client, recorder):
        stored = client.submit_job(job)
    sent = json.loads(recorder.last["body"])
    assert recorder.last["headers"]["Content-Type"] == "application/json"
    assert sent == {
        "name": "shot ä",
        "type": "simple-blender-render",
        "priority": 50,
        "submitter_platform": "linux",
        "settings": {"zebra": 1, "apple": [1, {"b": None}]},
        "metadata": {"project": "x"},
        "initial_status": "paused",
    }
    assert list(sent["settings"]) == ["zebra", "apple"]
    assert stored.created == datetime(2026, 1, 31, 10, 0, 0, 123456, timezone.utc)
    assert stored.updated == datetime(2026, 1, 31, 10, 0, 0, 0, timezone.utc)
    assert stored.status is models.JobStatus.QUEUED
    assert stored.steps_total == 7 and isinstance(stored.steps_total, int)
    assert stored.metadata is None


def test_times_are_sent_in_utc_and_need_a_time_zone():
    moment = datetime(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    with serving(Answer(204)) as (client, recorder):
        client.delete_job_mass(models.JobMassDeletionSelection(last_updated_max=moment))
        assert json.loads(recorder.last["body"]) == {"last_updated_max": "2026-01-31T10:00:00Z"}
        with pytest.raises(ValueError, match="time zone"):
            client.delete_job_mass(models.JobMassDeletionSelection(last_updated_max=datetime(2026, 1, 31)))


def test_a_word_from_the_future_is_kept():
    with serving(Answer(body={"status": "daydreaming"})) as (client, _):
        status = client.get_farm_status().status
    assert status == "daydreaming" and f"{status}" == str(status) == status.value == "daydreaming"
    assert isinstance(status, models.FarmStatus) and status not in list(models.FarmStatus)
    assert f"{models.FarmStatus.IDLE}" == "idle"
    report = models.FarmStatusReport(status=status)
    assert report.to_json() == {"status": "daydreaming"}


def test_null_is_an_empty_list():
    with serving(Answer(body={"job_types": None})) as (client, _):
        assert client.get_job_types().job_types == []
    with serving(Answer(body=b"null")) as (client, _):
        assert client.fetch_job_blocklist(JOB_ID) == []


def test_optional_bodies():
    with serving(Answer(204)) as (client, recorder):
        client.remove_job_blocklist(JOB_ID)
        assert recorder.last["length"] == 0 and "Content-Type" not in recorder.last["headers"]
        client.remove_job_blocklist(JOB_ID, [models.JobBlocklistEntry(worker_id=JOB_ID, task_type="blender")])
        assert json.loads(recorder.last["body"]) == [{"worker_id": JOB_ID, "task_type": "blender"}]


def test_plain_text_and_nothing():
    with serving(Answer(body="fün\n".encode(), content_type="text/plain")) as (client, _):
        assert client.fetch_task_log_tail(JOB_ID) == "fün\n"
    with serving(Answer(204)) as (client, _):
        assert client.fetch_task_log_tail(JOB_ID) is None


@pytest.mark.parametrize(
    "body, message",
    [
        ({"code": 409, "message": "job is gone"}, "job is gone"),
        ({"message": "job is gone"}, "job is gone"),
        ("job is gone", "job is gone"),
        (b"<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>"),
        ({"detail": 1}, '{"detail": 1}'),
        (b"", "Conflict"),
        (b"x" * 100_000, "x" * 2000),
    ],
)
def test_every_failure_has_a_message(body, message):
    with serving(Answer(409, body)) as (client, _):
        for _attempt in range(2):  # also on a connection that was used before
            with pytest.raises(ApiError) as caught:
                client.delete_job(JOB_ID)
            assert (caught.value.status, caught.value.message) == (409, message)
            assert "409" in str(caught.value)


def test_a_failure_may_say_when_to_try_again_and_carry_more():
    answer = Answer(423, {"status_requested": "asleep"}, headers={"Retry-After": "7"})
    with serving(answer) as (client, _), pytest.raises(ApiError) as caught:
        client.schedule_task()
    assert caught.value.retry_after == 7
    assert caught.value.body == {"status_requested": "asleep"}


@pytest.mark.parametrize(
    "answer, message",
    [
        (Answer(body=b"<html>", content_type="text/html"), "not JSON"),
        (Answer(body={"version": "1"}), "shortversion is missing"),
        (Answer(body={**VERSION, "git": 5}), "git should be a text, but is 5"),
        (Answer(body=[1]), "should be an object"),
        (Answer(302, headers={"Location": "/elsewhere"}), "HTTP 302"),
        (Answer(204), "HTTP 204"),
    ],
)
def test_an_answer_that_is_none(answer, message):
    with serving(answer) as (client, recorder):
        with pytest.raises(BadAnswer, match=message) as caught:
            client.get_version()
        assert "GET /api/v3/version" in str(caught.value)
        assert len(recorder.requests) == 1


def test_the_place_of_a_mistake_is_named():
    worker = {"id": JOB_ID, "name": "w", "status": "awake", "version": "3", "can_restart": "yes"}
    message = r"workers\[0\].can_restart should be true or false, but is 'yes'"
    with serving(Answer(body={"workers": [worker]})) as (client, _), pytest.raises(BadAnswer, match=message):
        client.fetch_workers()


@pytest.mark.parametrize("moment", ["yesterday", "2026-02-30T00:00:00Z", "2026-01-31T12:00:00", 5])
def test_what_is_no_moment(moment):
    with pytest.raises(BadAnswer, match="last_updated_max should be a date and time"):
        models.JobMassDeletionSelection.from_json({"last_updated_max": moment})


def test_nobody_there():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(ConnectionFailed) as caught:
        client.get_version()
    assert str(port) in str(caught.value) and isinstance(caught.value, ClientError)
    assert not isinstance(caught.value, TimedOut)
    assert "refused" in str(caught.value) and "object at" not in str(caught.value)


def test_no_answer_in_time():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client, pytest.raises(TimedOut):
            client.get_version(timeout=0.05)


def test_a_connection_that_breaks_off():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer_half():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"version"')

        thread = threading.Thread(target=answer_half)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(address) as client, pytest.raises(ConnectionFailed):
            client.get_version()
        thread.join()


def test_upload_of_a_file(tmp_path):
    path = tmp_path / "scene.blend"
    path.write_bytes(b"0123456789")
    with serving(Answer(208)) as (client, recorder), path.open("rb") as file:
        file.seek(3)
        status = client.shaman_file_store(
            "abc", 7, file, x_shaman_can_defer_upload=True, x_shaman_original_filename="scène 雪.blend"
        )
    assert status == 208
    assert recorder.last["path"] == "/api/v3/shaman/files/abc/7"
    assert recorder.last["body"] == b"3456789"
    headers = recorder.last["headers"]
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Length"] == "7"
    assert headers["X-Shaman-Can-Defer-Upload"] == "true"
    assert headers["X-Shaman-Original-Filename"].encode("latin-1").decode() == "scène 雪.blend"


def test_upload_of_bytes_and_of_an_empty_file():
    for body in (b"", io.BytesIO(b"")):
        with serving(Answer(204)) as (client, recorder):
            assert client.shaman_file_store("abc", 0, body) == 204
        assert recorder.last["headers"]["Content-Length"] == "0"


def test_upload_of_a_pipe_is_chunked():
    class Pipe(io.RawIOBase):
        left = 5

        def read(self, size=-1):
            self.left -= 1
            return b"abc" if self.left >= 0 else b""

    with serving(Answer(204)) as (client, recorder):
        assert client.shaman_file_store("abc", 15, Pipe()) == 204
    assert recorder.last["length"] == 15
    assert recorder.last["headers"]["Transfer-Encoding"] == "chunked"


def test_an_upload_can_be_broken_off_by_its_file():
    class Cancelled(Exception):
        pass

    class File(io.BytesIO):
        def read(self, size=-1):
            raise Cancelled

    with serving(Answer(204)) as (client, _), pytest.raises(Cancelled):
        client.shaman_file_store("abc", 15, File(b"x" * 15))


def test_a_large_upload_needs_little_memory(tmp_path):
    """400 MiB, sent and received in this process, which must not grow by more than 40 MiB."""
    size = 400 << 20
    path = tmp_path / "large.blend"
    with path.open("wb") as file:
        file.truncate(size)
    with serving(Answer(204)) as (client, recorder), path.open("rb") as file:
        client.shaman_file_store("warm", 0, b"up")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        client.shaman_file_store("abc", size, file)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert recorder.last["length"] == size
    assert grown < 40 * 1024, f"grew by {grown} KiB"


def test_requests_from_several_threads():
    results = []
    with serving(Answer(body=VERSION)) as (client, recorder):
        threads = [threading.Thread(target=lambda: results.append(client.get_version().name)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == ["Farm"] * 20 and len(recorder.requests) == 20


def test_a_file_that_grows_while_it_is_sent_does_not_disturb_the_next_request() -> None:
    class Growing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            position = self.tell()
            self.seek(0, io.SEEK_END)
            self.write(b"more and more")
            self.seek(position)
            return piece

    call = Call("POST", "/")
    call.upload(Growing(b"what was there"), "application/octet-stream")
    assert call.headers["Content-Length"] == "14"
    assert b"".join(call.body) == b"what was there"
