//! Jobs made to measure: a job type whose setting says which tasks there are.

use serde_json::{Value, json};

use crate::{FakeWorker, TestManager};

/// The job type that makes exactly the tasks it is told to.
pub const PLAN_JOB_TYPE: &str = "test-plan";

/// The name of the file of [`PLAN_SCRIPT`] in a folder of job types.
pub const PLAN_FILE: &str = "test_plan.js";

/// The script of [`PLAN_JOB_TYPE`].
pub const PLAN_SCRIPT: &str = r#"
const JOB_TYPE = {
    label: "Test plan",
    settings: [{ key: "plan", type: "string", required: true, visible: "hidden" }],
};

function compileJob(job) {
    const plan = JSON.parse(job.settings.plan);
    const tasks = plan.map(({ name, type, priority, commands }) => {
        const task = author.Task(name, type ?? "blender");
        if (priority !== undefined) task.priority = priority;
        for (const { name, parameters, steps } of commands ?? [{ name: "echo", parameters: { message: "hi" } }]) {
            task.addCommand(author.Command(name, parameters ?? {}, steps ?? 0));
        }
        return task;
    });
    plan.forEach(({ after }, index) => {
        for (const other of after ?? []) tasks[index].addDependency(tasks[other]);
    });
    tasks.forEach((task) => job.addTask(task));
}
"#;

impl TestManager {
    /// The submission of a job with these tasks: `[{"name", "type"?, "priority"?, "after"?: [index], "commands"?:
    /// [{"name", "parameters"?, "steps"?}]}]`.
    #[must_use]
    pub fn submission(name: &str, plan: &Value) -> Value {
        json!({
            "name": name,
            "type": PLAN_JOB_TYPE,
            "priority": 50,
            "submitter_platform": "linux",
            "settings": { "plan": plan.to_string() },
        })
    }

    /// Submits a job with these tasks, see [`Self::submission`], and gives its id.
    pub async fn submit(&self, name: &str, plan: Value) -> String {
        self.submit_as(Self::submission(name, &plan)).await
    }

    /// Submits a job and gives its id.
    pub async fn submit_as(&self, submission: Value) -> String {
        let job = self.post("/api/v3/jobs", &submission).await.expect(200).json();
        job["id"].as_str().expect("a job has an id").to_owned()
    }

    /// The job as it is now.
    pub async fn job(&self, id: &str) -> Value {
        self.get(&format!("/api/v3/jobs/{id}")).await.expect(200).json()
    }

    /// The status of a job.
    pub async fn job_status(&self, id: &str) -> String {
        text(&self.job(id).await["status"])
    }

    /// The tasks of a job, in order.
    pub async fn tasks(&self, job: &str) -> Vec<Value> {
        let all = self.get(&format!("/api/v3/jobs/{job}/tasks")).await.expect(200).json();
        all["tasks"].as_array().expect("a list of tasks").clone()
    }

    /// The statuses of the tasks of a job, in order, with blanks between them.
    pub async fn task_statuses(&self, job: &str) -> String {
        let all = self.tasks(job).await;
        all.iter().map(|task| text(&task["status"])).collect::<Vec<_>>().join(" ")
    }

    /// The ids of the tasks of a job, in order.
    pub async fn task_ids(&self, job: &str) -> Vec<String> {
        self.tasks(job).await.iter().map(|task| text(&task["id"])).collect()
    }

    /// One task with everything that is known about it.
    pub async fn task(&self, id: &str) -> Value {
        self.get(&format!("/api/v3/tasks/{id}")).await.expect(200).json()
    }

    /// Asks for a job status; the answer is that of the manager.
    pub async fn set_job_status(&self, job: &str, status: &str) -> crate::Reply {
        let body = json!({ "status": status, "reason": "the test wants it" });
        self.post(&format!("/api/v3/jobs/{job}/setstatus"), &body).await
    }

    /// Asks for a task status; the answer is that of the manager.
    pub async fn set_task_status(&self, task: &str, status: &str) -> crate::Reply {
        let body = json!({ "status": status, "reason": "the test wants it" });
        self.post(&format!("/api/v3/tasks/{task}/setstatus"), &body).await
    }

    /// A worker that is awake and runs tasks of the usual types.
    pub async fn worker(&self, name: &str) -> FakeWorker {
        let worker =
            FakeWorker::register(self, name, &["blender", "ffmpeg", "file-management", "misc"]).await;
        worker.wake_up().await;
        worker
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
