//! Selecting, sorting and paging the lists of jobs, tasks and workers. That the database does it by the rule is tested
//! with the store; here it is what a client can ask for, and what it is told.

use flamenco_testkit::api::operations::{FetchJobTasksQuery, FetchJobTasksResponse};
use flamenco_testkit::api::types::{TaskSort, TaskStatus, TaskUpdate};
use flamenco_testkit::{Builder, TestManager};
use serde_json::{Value, json};

use crate::tasks;

on_each_database!(
    without_parameters_the_lists_are_whole_and_have_no_cursor,
    pages_are_walked_with_the_cursor,
    parameters_select_and_sort,
    wrong_parameters_are_named_with_what_is_allowed,
    tasks_of_all_jobs,
    a_cursor_belongs_to_its_order,
    the_typed_client_walks_pages,
);

const LISTS: [(&str, &str); 2] = [("jobs", "jobs"), ("worker-mgt/workers", "workers")];

/// The names in a list, and the cursor of the next page.
async fn list(farm: &TestManager, path: &str) -> (Vec<String>, Option<String>) {
    let reply = farm.get(&format!("/api/v3/{path}")).await.expect(200).json();
    let entries = reply.as_object().unwrap().values().find_map(Value::as_array).unwrap();
    let names = entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect();
    (names, reply.get("next_cursor").map(|cursor| cursor.as_str().unwrap().to_owned()))
}

async fn names(farm: &TestManager, path: &str) -> Vec<String> {
    list(farm, path).await.0
}

async fn without_parameters_the_lists_are_whole_and_have_no_cursor(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("first", tasks(3)).await;
    farm.submit("second", tasks(1)).await;
    for name in ["b", "A"] {
        farm.worker(name).await;
    }
    for (path, field, want) in [
        ("jobs", "jobs", vec!["second", "first"]),
        (&format!("jobs/{job}/tasks"), "tasks", vec!["task-1", "task-2", "task-3"]),
        ("worker-mgt/workers", "workers", vec!["A", "b"]),
    ] {
        assert_eq!(names(&farm, path).await, want);
        let reply = farm.get(&format!("/api/v3/{path}")).await.json();
        assert_eq!(
            reply.as_object().unwrap().keys().collect::<Vec<_>>(),
            [field],
            "as a stock client knows it"
        );
    }
    farm.stop().await;
}

async fn pages_are_walked_with_the_cursor(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(7)).await;
    let (first, cursor) = list(&farm, &format!("jobs/{job}/tasks?limit=3")).await;
    assert_eq!(first, ["task-1", "task-2", "task-3"]);
    let (second, cursor) = list(&farm, &format!("jobs/{job}/tasks?limit=3&cursor={}", cursor.unwrap())).await;
    assert_eq!(second, ["task-4", "task-5", "task-6"]);
    let (third, end) = list(&farm, &format!("jobs/{job}/tasks?limit=3&cursor={}", cursor.unwrap())).await;
    assert_eq!((third, end), (vec!["task-7".to_owned()], None));
    let (all, end) = list(&farm, &format!("jobs/{job}/tasks?limit=7")).await;
    assert_eq!((all.len(), end), (7, None), "a page that holds the last entry is the last");
    for (path, _) in LISTS {
        farm.submit("one", tasks(1)).await;
        farm.worker("one").await;
        farm.submit("two", tasks(1)).await;
        farm.worker("two").await;
        let whole = names(&farm, path).await;
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = list(&farm, &format!("{path}?limit=1{cursor}")).await;
            assert_eq!(page.len(), 1);
            walked.extend(page);
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, whole, "{path}");
    }
    farm.stop().await;
}

async fn parameters_select_and_sort(farm: Builder) {
    let farm = farm.start().await;
    let (early, late) = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z");
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    let tag = tag["id"].as_str().unwrap();
    let gpu = farm.worker("Node 2").await;
    let path = format!("/api/v3/worker-mgt/workers/{}/settags", gpu.id);
    farm.post(&path, &json!({ "tag_ids": [tag] })).await.no_content();
    farm.worker("node 1").await;
    let plan =
        json!([{ "name": "render 1" }, { "name": "Render 2" }, { "name": "encode", "type": "ffmpeg" }]);
    let job = farm.submit("shot 20%", plan).await;
    let task = gpu.take().await;
    farm.clock().advance(chrono::TimeDelta::seconds(1));
    assert_eq!(gpu.report_task(task.uuid, "completed").await, 204);
    let mut tagged = TestManager::submission("Shot 3", &tasks(1));
    tagged["worker_tag"] = json!(tag);
    tagged["priority"] = json!(70);
    farm.submit_as(tagged).await;
    let (of_job, worker) = (format!("jobs/{job}/tasks"), gpu.id);
    for (path, want) in [
        ("jobs?order=asc".to_owned(), vec!["shot 20%", "Shot 3"]),
        ("jobs?sort=name".to_owned(), vec!["shot 20%", "Shot 3"]),
        ("jobs?sort=name&order=desc".to_owned(), vec!["Shot 3", "shot 20%"]),
        ("jobs?sort=priority".to_owned(), vec!["shot 20%", "Shot 3"]),
        ("jobs?name=SHOT".to_owned(), vec!["Shot 3", "shot 20%"]),
        ("jobs?name=20%25".to_owned(), vec!["shot 20%"]),
        ("jobs?name=%25".to_owned(), vec!["shot 20%"]),
        ("jobs?name=_".to_owned(), vec![]),
        (format!("jobs?tag={tag}"), vec!["Shot 3"]),
        (format!("jobs?worker={worker}"), vec!["shot 20%"]),
        (format!("jobs?worker={}", crate::UNKNOWN), vec![]),
        ("jobs?status=active".to_owned(), vec!["shot 20%"]),
        ("jobs?status=active,queued&sort=status".to_owned(), vec!["shot 20%", "Shot 3"]),
        ("jobs?status=active&status=queued&sort=status".to_owned(), vec!["shot 20%", "Shot 3"]),
        ("jobs?type=nothing".to_owned(), vec![]),
        ("jobs?type=test-plan,nothing&name=3".to_owned(), vec!["Shot 3"]),
        (format!("jobs?created_since={late}"), vec!["Shot 3"]),
        (format!("jobs?created_before={late}"), vec!["shot 20%"]),
        (format!("jobs?updated_since={early}&updated_before={early}"), vec![]),
        (format!("{of_job}?status=queued"), vec!["Render 2", "encode"]),
        (format!("{of_job}?task_type=ffmpeg"), vec!["encode"]),
        (format!("{of_job}?name=RENDER&sort=name&order=desc"), vec!["Render 2", "render 1"]),
        (format!("{of_job}?worker={worker}"), vec!["render 1"]),
        (format!("{of_job}?sort=updated&order=desc&limit=1"), vec!["render 1"]),
        (format!("{of_job}?updated_since={late}"), vec!["render 1"]),
        (format!("{of_job}?sort=worker&order=desc&limit=1"), vec!["render 1"]),
        ("worker-mgt/workers?order=desc".to_owned(), vec!["Node 2", "node 1"]),
        ("worker-mgt/workers?name=E%202".to_owned(), vec!["Node 2"]),
        (format!("worker-mgt/workers?tag={tag}"), vec!["Node 2"]),
        (format!("worker-mgt/workers?seen_since={late}"), vec!["Node 2"]),
        (format!("worker-mgt/workers?seen_before={late}"), vec!["node 1"]),
        (
            "worker-mgt/workers?task_type=blender&status=awake&sort=last_seen".to_owned(),
            vec!["node 1", "Node 2"],
        ),
        ("worker-mgt/workers?task_type=blend".to_owned(), vec![]),
        ("worker-mgt/workers?status=error,offline".to_owned(), vec![]),
    ] {
        assert_eq!(names(&farm, &path).await, want, "{path}");
    }
    farm.stop().await;
}

async fn wrong_parameters_are_named_with_what_is_allowed(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    for (path, _) in LISTS.into_iter().chain([(format!("jobs/{job}/tasks").as_str(), "tasks")]) {
        for (query, words) in [
            ("limit=0", ["limit", "from 1 to 1000", "0"]),
            ("limit=1001", ["limit", "from 1 to 1000", "1001"]),
            ("limit=ten", ["limit", "whole number", "ten"]),
            ("limit=99999999999999999999", ["limit", "whole number", "99999999999999999999"]),
            ("sort=colour", ["sort", "name, ", "colour"]),
            ("sort=", ["sort", "name, ", "\"\""]),
            ("order=down", ["order", "asc, desc", "down"]),
            ("status=resting", ["status", "one of ", "resting"]),
            ("name=a%00b", ["name", "U+0000", "no text"]),
            ("cursor=nonsense", ["cursor", "next_cursor", "nonsense"]),
            ("cursor=", ["cursor", "next_cursor", "\"\""]),
            // ["name","asc",{},1]
            (
                "sort=name&order=asc&cursor=WyJuYW1lIiwiYXNjIix7fSwxXQ",
                ["cursor", "next_cursor", "leave it out"],
            ),
            // ["name","asc",7,1]: a number where names are
            (
                "sort=name&order=asc&cursor=WyJuYW1lIiwiYXNjIiw3LDFd",
                ["cursor", "next_cursor", "leave it out"],
            ),
            // ["name","asc","\u0000",1]
            (
                "sort=name&cursor=WyJuYW1lIiwiYXNjIiwiXHUwMDAwIiwxXQ",
                ["cursor", "next_cursor", "leave it out"],
            ),
        ] {
            let message = farm.get(&format!("/api/v3/{path}?{query}")).await.problem(400);
            assert!(words.iter().all(|word| message.contains(word)), "{path}?{query}: {message}");
        }
    }
    for (path, parameter, value, allowed) in [
        ("jobs".to_owned(), "tag", "gpu", "UUID"),
        ("jobs".to_owned(), "created_since", "yesterday", "2026-01-31T12:00:00Z"),
        ("jobs".to_owned(), "updated_before", "2026-01-31", "2026-01-31T12:00:00Z"),
        (format!("jobs/{job}/tasks"), "worker", "node", "UUID"),
        ("worker-mgt/workers".to_owned(), "seen_since", "7", "2026-01-31T12:00:00Z"),
    ] {
        let message = farm.get(&format!("/api/v3/{path}?{parameter}={value}")).await.problem(400);
        assert!([parameter, value, allowed].iter().all(|word| message.contains(word)), "{message}");
    }
    farm.stop().await;
}

async fn tasks_of_all_jobs(farm: Builder) {
    let farm = farm.start().await;
    let (one, two) = (farm.worker("one").await, farm.worker("two").await);
    let first = farm.submit("first", tasks(2)).await;
    let second = farm.submit("second", json!([{ "name": "encode", "type": "ffmpeg" }])).await;
    for worker in [&one, &two, &two] {
        farm.clock().advance(chrono::TimeDelta::seconds(1));
        let task = worker.take().await;
        farm.clock().advance(chrono::TimeDelta::seconds(1));
        worker.complete(&task).await;
    }
    let list = async |query: &str| {
        let reply = farm.get(&format!("/api/v3/tasks?{query}")).await.expect(200).json();
        let entries = reply["tasks"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names: Vec<_> =
            entries.iter().map(|entry| (text(&entry["job_name"]), text(&entry["task"]["name"]))).collect();
        (names, entries, reply.get("next_cursor").map(text))
    };
    let named = |names: &[(&str, &str)]| -> Vec<(String, String)> {
        names.iter().map(|(job, task)| ((*job).to_owned(), (*task).to_owned())).collect()
    };
    let all = [("second", "encode"), ("first", "task-2"), ("first", "task-1")];
    let (names, entries, end) = list("").await;
    assert_eq!((names, end), (named(&all), None));
    assert_eq!([&entries[0]["job"], &entries[2]["job"]], [&json!(second), &json!(first)]);
    assert_eq!(entries[2]["task"], farm.tasks(&first).await[0], "as in the list of its job");
    for (query, want) in [
        (format!("worker={}", two.id), &all[..2]),
        (format!("worker={},{}", two.id, one.id), &all[..]),
        ("status=active".to_owned(), &[][..]),
        ("status=completed,failed".to_owned(), &all[..]),
        ("task_type=ffmpeg".to_owned(), &all[..1]),
        ("name=TASK".to_owned(), &all[1..]),
        (format!("worker={}", crate::UNKNOWN), &[][..]),
    ] {
        assert_eq!(list(&query).await.0, named(want), "{query}");
    }
    let (page, _, cursor) = list("limit=2").await;
    assert_eq!(page, named(&all[..2]));
    let (page, _, end) = list(&format!("limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((page, end), (named(&all[2..]), None));
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    let mut tagged = TestManager::submission("third", &tasks(1));
    tagged["worker_tag"] = tag["id"].clone();
    farm.submit_as(tagged).await;
    assert_eq!(list(&format!("tag={}", tag["id"].as_str().unwrap())).await.0, named(&[("third", "task-1")]));
    for bad in ["status=done", "limit=0", "limit=1001", "worker=x", "tag=x", "cursor=x", "updated_since=now"]
    {
        let message = farm.get(&format!("/api/v3/tasks?{bad}")).await.problem(400);
        assert!(message.contains(bad.split_once('=').unwrap().0), "{message}");
    }
    farm.stop().await;
}

async fn a_cursor_belongs_to_its_order(farm: Builder) {
    let farm = farm.start().await;
    for name in ["one", "two", "three"] {
        farm.submit(name, tasks(1)).await;
    }
    let (_, cursor) = list(&farm, "jobs?limit=1&sort=updated").await;
    let cursor = cursor.unwrap();
    for other in ["sort=name", "sort=updated&order=desc", "limit=1"] {
        let message = farm.get(&format!("/api/v3/jobs?{other}&cursor={cursor}")).await.problem(400);
        assert!(message.contains("sort=updated and order=asc"), "{message}");
    }
    assert_eq!(names(&farm, &format!("jobs?sort=updated&cursor={cursor}")).await.len(), 2, "the rest");
    farm.stop().await;
}

async fn the_typed_client_walks_pages(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let job = farm.submit("job", tasks(5)).await;
    let task = worker.take().await;
    let update = TaskUpdate { activity: Some("working".into()), ..TaskUpdate::default() };
    assert_eq!(worker.report(task.uuid, &update).await, 204);
    let mut query = FetchJobTasksQuery {
        limit: Some(2),
        sort: Some(TaskSort::Name),
        status: Some(vec![TaskStatus::Queued, TaskStatus::Active]),
        updated_before: Some(farm.now() + chrono::TimeDelta::seconds(1)),
        ..FetchJobTasksQuery::default()
    };
    let mut pages = Vec::new();
    loop {
        let answer = farm.client().fetch_job_tasks(job.parse().unwrap(), &query).await.unwrap();
        let FetchJobTasksResponse::Status200(page) = answer else { panic!("{answer:?}") };
        pages.push(page.tasks.len());
        let Some(next) = page.next_cursor else { break };
        query.cursor = Some(next.0);
    }
    assert_eq!(pages, [2, 2, 1]);
    farm.stop().await;
}
