"""What schemathesis has to know of this API beyond its document; `.ci/schemathesis` loads it."""

import collections
import os
import pathlib
import re
import urllib.parse

import schemathesis
from farm import FILE, PICTURE, Farm

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ROOT = pathlib.Path(__file__).resolve().parents[4]
UNIMPLEMENTED = {
    line.strip()
    for line in (ROOT / "internal/manager/tests/it/unimplemented.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
}

# What workers only say of tasks that they have.
OF_OWN_TASKS = {"taskUpdate", "taskOutputProduced", "mayWorkerRun", "reportFrames", "reportFrameProgress"}

farm = Farm(os.environ["FLAMENCO_URL"], seed=1)


@schemathesis.auth()
class WorkerCredentials:
    """Every operation gets a worker's credentials; those that need none do not look at them."""

    def get(self, case, context):
        return farm.credentials()

    def set(self, case, data, context):
        # Not the ones kept from before: that worker may have been deleted.
        case.headers["Authorization"] = farm.credentials()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Most ids that are ids become those of things that exist; some bodies become ones that are accepted."""
    operation = case.operation.definition.raw.get("operationId", "")
    for name, value in list((case.path_parameters or {}).items()):
        if name in ("job_id", "task_id", "worker_id", "tag_id") and UUID.fullmatch(str(value)) and lucky():
            own = operation in OF_OWN_TASKS and lucky()
            # What is deleted is soon gone.
            case.path_parameters[name] = farm.own_task() if own else farm.some(name, case.method.upper() == "DELETE")
    if operation == "scheduleTask" and str(case.query.get("wait", "")).isdecimal():
        if 1 < int(case.query["wait"]) <= 20:
            case.query["wait"] = 1  # the answer is the same, only sooner
    if operation == "saveSetupAssistantConfig":
        refuse_tokens(case)
    if operation in LIKELY and lucky():
        LIKELY[operation](case)


def refuse_tokens(case):
    """Makes a token too short that would be accepted, and with which every later request would be refused."""
    access = case.body.get("access") if isinstance(case.body, dict) else None
    if isinstance(access, dict) and isinstance(access.get("admin_token"), str):
        access["admin_token"] = access["admin_token"][:15]


def with_field(name, value):
    """Puts something in a body that is an object."""

    def change(case):
        if isinstance(case.body, dict) and (name != "type" or name in case.body):
            case.body[name] = value()

    return change


def with_body(value):
    """Replaces a body that is what it should be."""

    def change(case):
        if isinstance(case.body, type(made := value())):
            case.body = made

    return change


def fitting_cursor(case):
    """A cursor of the same list, or none."""
    order = {name: case.query[name] for name in ("sort", "order") if name in case.query}
    query = urllib.parse.urlencode({"limit": 1, **order}, doseq=True)
    answer = farm.ask("GET", f"{case.formatted_path}?{query}")[1]
    case.query.pop("cursor", None)
    if answer and "next_cursor" in answer and lucky():
        case.query["cursor"] = answer["next_cursor"]


def stored_upload(case):
    file = farm.stored_file()
    case.path_parameters.update(checksum=file["sha"], filesize=file["size"])
    case.headers.pop("X-Shaman-Original-Filename", None)
    case.body = FILE


# What makes a request that is made up one that can be accepted; no schema says it.
LIKELY = {
    "fetchJobs": fitting_cursor,
    "fetchJobTasks": fitting_cursor,
    "fetchWorkers": fitting_cursor,
    "scheduleTask": lambda case: farm.wake_up(),
    "submitJob": with_field("type", lambda: "echo-sleep-test"),
    "submitJobCheck": with_field("type", lambda: "echo-sleep-test"),
    "setWorkerTags": with_field("tag_ids", lambda: [farm.some("tag_id")]),
    "setJobTag": with_field("id", lambda: farm.some("tag_id")),
    "updateConfigurationFile": with_body(farm.configuration),
    "taskOutputProduced": with_body(lambda: PICTURE),
    "shamanFileStore": stored_upload,
    "shamanCheckout": with_field("files", lambda: [farm.stored_file()]),
    "shamanCheckoutRequirements": with_field("files", lambda: [farm.stored_file()]),
}


# These need a frame of a render job, which takes more than a request to make; the API's own tests have them.
NEED_FRAMES = {"fetchJobFrame", "requeueJobFrames"}


def lucky():
    return farm.random.random() < 0.7


@schemathesis.check
class AnswersWithoutServerError:
    """No 5xx, but 501 for what is listed as not built yet; and nothing that is built only ever refuses."""

    def __init__(self):
        self.answers = collections.defaultdict(set)

    def after_response(self, ctx, response, case):
        operation = case.operation.definition.raw.get("operationId", "")
        self.answers[operation].add(response.status_code)
        if response.status_code == 501 and operation in UNIMPLEMENTED:
            return
        assert response.status_code < 500, f"{operation} answered {response.status_code}"

    def after_run(self, ctx):
        never = [
            f"{operation} (only {sorted(statuses)})"
            for operation, statuses in sorted(self.answers.items())
            if min(statuses) >= 400 and operation not in UNIMPLEMENTED | NEED_FRAMES
        ]
        assert not never, f"never answered with a success, so not really tried: {', '.join(never)}"
