"""A farm for schemathesis to play with: keeps jobs, tasks, workers and tags in the manager, so that the requests that
are made up speak of things that exist, also after others of them deleted everything."""

import base64
import hashlib
import json
import random
import urllib.error
import urllib.request
import uuid

# A 1x1 picture, for uploads that are to be accepted.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
# A file for the file store.
FILE = b"hello"
JOBS = 4
WORKERS = 3


class Farm:
    """Talks to the manager under test. Everything it makes it makes over the API."""

    def __init__(self, url, seed):
        self.url = url
        self.random = random.Random(seed)
        self.worker, self.secret = None, "a secret of the worker that schemathesis is"
        self.answers = 0
        self.kept = {}

    def ask(self, method, path, body=None, as_worker=False):
        """Status and JSON of an answer. A body of bytes is sent as a file, any other as JSON."""
        request = urllib.request.Request(self.url + path, method=method)
        if isinstance(body, bytes):
            request.data = body
            request.add_header("Content-Type", "application/octet-stream")
        elif body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if as_worker:
            request.add_header("Authorization", self.credentials())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            return error.code, None

    def credentials(self):
        """The Authorization header of a worker that is registered. Registers one when there is none."""
        if self.worker is None:
            self.worker = self.register("schemathesis")
        return "Basic " + base64.b64encode(f"{self.worker}:{self.secret}".encode()).decode()

    def register(self, name):
        body = {"name": name, "platform": "linux", "secret": self.secret, "supported_task_types": ["misc"]}
        return self.ask("POST", "/api/v3/worker/register-worker", body)[1]["uuid"]

    def wake_up(self):
        """The worker of the requests is there and awake, whatever was done to it."""
        sign_on = {"name": "schemathesis", "software_version": "1", "supported_task_types": ["misc"]}
        self.ask("POST", "/api/v3/worker/sign-on", sign_on, as_worker=True)
        self.ask("POST", "/api/v3/worker/state-changed", {"status": "awake"}, as_worker=True)

    def own_task(self):
        """A task that is assigned to the worker of the requests."""
        for _attempt in range(2):
            status, task = self.ask("POST", "/api/v3/worker/task", as_worker=True)
            if status == 200:
                return task["uuid"]
            self.wake_up()
            self.submit()
        return str(uuid.uuid4())

    def submit(self):
        settings = {"message": "hi", "sleep_duration_seconds": 1, "sleep_repeats": 2}
        job = {"name": "a job", "type": "echo-sleep-test", "submitter_platform": "linux", "settings": settings}
        return self.ask("POST", "/api/v3/jobs", job)[1]["id"]

    def refresh(self):
        """Reads which things there are, and makes some when there are few."""
        jobs = [job["id"] for job in self.ask("GET", "/api/v3/jobs")[1]["jobs"]]
        jobs += [self.submit() for _missing in range(JOBS - len(jobs))]
        workers = [worker["id"] for worker in self.ask("GET", "/api/v3/worker-mgt/workers")[1]["workers"]]
        if self.worker not in workers:
            self.worker = None
            self.credentials()
            self.wake_up()
        workers += [self.register(f"worker {number}") for number in range(WORKERS - len(workers))]
        tags = [tag["id"] for tag in self.ask("GET", "/api/v3/worker-mgt/tags")[1]["tags"]]
        if not tags:
            tags = [self.ask("POST", "/api/v3/worker-mgt/tags", {"name": "a tag"})[1]["id"]]
        job = self.random.choice(jobs)
        tasks = [task["id"] for task in self.ask("GET", f"/api/v3/jobs/{job}/tasks")[1]["tasks"]]
        self.kept = {"job_id": jobs, "worker_id": workers, "tag_id": tags, "task_id": tasks}

    def some(self, parameter, surely=False):
        """The id of something that exists, or existed a few requests ago unless it surely has to."""
        if surely or self.answers % 10 == 0:
            self.refresh()
        self.answers += 1
        return self.random.choice(self.kept[parameter] or [str(uuid.uuid4())])

    def stored_file(self):
        """A file that is in the file store, as a checkout names it."""
        checksum, size = hashlib.sha256(FILE).hexdigest(), len(FILE)
        self.ask("POST", f"/api/v3/shaman/files/{checksum}/{size}", FILE)
        return {"sha": checksum, "size": size, "path": "a/file.txt"}

    def configuration(self):
        """A configuration that is accepted and changes nothing that matters here."""
        settings = self.ask("GET", "/api/v3/configuration/file")[1]
        return {**settings, "manager_name": f"Farm {self.random.randrange(1000)}"}
