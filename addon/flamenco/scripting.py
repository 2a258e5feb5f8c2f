# SPDX-License-Identifier: GPL-3.0-or-later
"""For pipeline scripts: submit the open file, and get the job.

from flamenco import scripting

job = scripting.submit(job_name="shot 010")
print(job.id)
"""

from __future__ import annotations

from typing import Any

import bpy

from . import settings
from .flamenco_client.models import Job
from .submission import SubmissionFailed

__all__ = ["SubmissionFailed", "submit"]


def submit(**options: Any) -> Job:
    """Submits the open file, blocks until that is done, and gives the job.

    Takes what `bpy.ops.flamenco.submit_job` takes. Raises `SubmissionFailed` with the reason.
    """
    from . import manager

    if settings.job_type_of(bpy.context.scene) is None:
        raise SubmissionFailed("Choose a job type first: set scene.flamenco_job_type")
    window_manager = bpy.context.window_manager
    if bpy.ops.flamenco.submit_job(**options) != {"FINISHED"}:
        raise SubmissionFailed(window_manager.flamenco_bat_status_txt)
    return manager.client().fetch_job(window_manager.flamenco_last_job_id)
