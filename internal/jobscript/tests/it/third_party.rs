//! Scripts of the kinds that studios share.

use crate::support::{Farm, commands, names, with};
use serde_json::{Value, json};

/// One still image, cut into tiles that are merged afterwards.
const TILES: &str = r#"
const JOB_TYPE = {
    label: 'Tiled Still',
    settings: [
        { key: "tile_size_x", type: "int32", default: 64, propargs: {min: 1} },
        { key: "resolution_scale", type: "int32", default: 100 },
    ]
};
function compileJob(job) {
    const settings = job.settings;
    settings.render_output_path = settings.render_output_path.replace(/{([^}]+)}/g, (all, group) => {
        switch (group) {
            case "timestamp": return formatTimestampLocal(job.created);
            default: return all;
        }
    });
    const renderDir = path.dirname(settings.render_output_path);
    if (settings.resolution_scale !== 100) {
        throw "Flamenco can only tile at 100% resolution";
    }
    const tasks = renderTasks(settings, path.join(renderDir, "tiles"));
    const merge = mergeTask(settings, renderDir);
    for (const task of tasks) {
        job.addTask(task);
        merge.addDependency(task);
    }
    job.addTask(merge);
}
function renderTasks(settings, renderDir) {
    let tasks = [];
    for (let y = 0; y < settings.resolution_y; y += settings.tile_size_y) {
        for (let x = 0; x < settings.resolution_x; x += settings.tile_size_x) {
            const right = Math.min(x + settings.tile_size_x, settings.resolution_x);
            const top = Math.min(y + settings.tile_size_y, settings.resolution_y);
            const task = author.Task(`render-${x}-${y}`, "blender");
            const code = `
import bpy
scene = bpy.context.scene
values = {"x": ${x}, 'y': "${y}"}
print(f"tile {values['x']} \\ {{literal}}")
scene.render.border_max_x = ${right} / ${settings.resolution_x}`;
            task.addCommand(author.Command("blender-render", {
                exe: "{blender}", exeArgs: "{blenderArgs}", argsBefore: [], blendfile: settings.blendfile,
                args: ["--python-exit-code", 1, "--python-expr", code,
                       "--render-output", path.join(renderDir, `${x}-${y}-${right}-${top}`), "--render-frame", settings.frame],
            }));
            tasks.push(task);
        }
    }
    return tasks;
}
function mergeTask(settings, renderDir, basename) {
    const task = author.Task("merge", "blender");
    print("merging", settings, renderDir);
    task.addCommand(author.Command("blender-render", {
        exe: "{blender}", exeArgs: "{blenderArgs}", argsBefore: [], blendfile: settings.blendfile,
        args: ["--render-output", path.join(renderDir, path.basename(basename), "merged")],
    }));
    return task;
}
"#;

fn tile_settings() -> Value {
    json!({
        "tile_size_x": 64, "tile_size_y": 64, "resolution_x": 100, "resolution_y": 70, "resolution_scale": 100.0,
        "frame": 1, "blendfile": "/x.blend", "render_output_path": "/out/{timestamp}/{other}/image",
    })
}

#[test]
fn tiled_still() {
    let farm = Farm::new();
    let job = farm.compile_source(TILES, tile_settings()).unwrap();
    assert_eq!(names(&job), ["render-0-0", "render-64-0", "render-0-64", "render-64-64", "merge"]);
    assert_eq!(job.tasks[4].dependencies, [0, 1, 2, 3]);
    let outputs: Vec<_> =
        job.tasks[..4].iter().map(|task| task.commands[0].parameters["args"][5].clone()).collect();
    let directory = "/out/2026-02-03_140506/{other}";
    for (output, name) in outputs.iter().zip(["0-0-64-64", "64-0-100-64", "0-64-64-70", "64-64-100-70"]) {
        assert_eq!(*output, format!("{directory}/tiles/{name}"));
    }
    // Called without its third argument, the name of the output is ".", and disappears.
    assert_eq!(
        job.tasks[4].commands[0].parameters["args"],
        json!(["--render-output", format!("{directory}/merged")])
    );
    let arguments = &job.tasks[1].commands[0].parameters["args"];
    assert_eq!(
        arguments[3],
        "\nimport bpy\nscene = bpy.context.scene\nvalues = {\"x\": 64, 'y': \"0\"}\n\
         print(f\"tile {values['x']} \\ {{literal}}\")\nscene.render.border_max_x = 100 / 100"
    );
    assert_eq!((&arguments[1], &arguments[7]), (&json!(1), &json!(1)));

    let error =
        farm.compile_source(TILES, with(tile_settings(), json!({"resolution_scale": 50}))).unwrap_err();
    assert!(
        error.to_string().starts_with("Flamenco can only tile at 100% resolution (test.js:19:"),
        "{error}"
    );
}

/// Chooses the device, takes arguments from the artist, and hides settings that are not used.
const DEVICES: &str = r#"
const JOB_TYPE = {
    label: 'GPU & Experimental',
    description: 'Render with the GPU',
    settings: [
        { key: 'frames', type: 'string', required: true, eval: 'f"{C.scene.frame_start}-{C.scene.frame_end}"' },
        { key: 'blender_args_before', type: 'string' },
        { key: 'experimental_gp3', type: 'bool', default: false },
    ]
};
const formats = new Set(['PNG', 'JPEG']);
function compileJob(job) {
    const settings = job.settings;
    if (!formats.has(settings.format)) throw new Error('format ' + settings.format);
    let python = [];
    {
        const enable = (name, code) => { if (settings[name]) { python.push(code); } };
        enable('experimental_gp3', 'use_gp3()');
        enable('experimental_new_anim', 'use_anim()');
    }
    const before = [].concat(shellSplit(settings.blender_args_before));
    let after = ['--render-output', path.join('/out', path.stem(settings.blendfile))];
    if (python.length) after = ['--python-expr', python.join('; ')].concat(after);
    after = after.concat(shellSplit(settings.blender_args_after));
    for (let chunk of frameChunker(settings.frames, settings.chunk_size)) {
        const task = author.Task(`render-${chunk}`, 'blender');
        task.addCommand(author.Command('blender-render', {
            exe: '{blender}', exeArgs: '{blenderArgs}', argsBefore: before, blendfile: settings.blendfile,
            args: after.concat(['--render-frame', chunk.replaceAll('-', '..'), '--', '--cycles-device', 'OPTIX']),
        }));
        job.addTask(task);
    }
    for (const name of ['blender_args_before', 'blender_args_after', 'experimental_gp3', 'experimental_new_anim']) {
        if (!settings[name]) { delete settings[name]; }
    }
}
"#;

#[test]
fn devices_and_optional_settings() {
    let farm = Farm::new();
    let settings = json!({
        "frames": "1-4", "chunk_size": 2, "format": "PNG", "blendfile": r"C:\x\shot.v1.blend",
        "blender_args_before": "", "blender_args_after": "--debug 'a b'", "experimental_gp3": true, "experimental_new_anim": false,
    });
    let job = farm.compile_source(DEVICES, settings).unwrap();
    assert_eq!(names(&job), ["render-1,2", "render-3,4"]);
    let parameters = &job.tasks[0].commands[0].parameters;
    assert_eq!(parameters["argsBefore"], json!([]));
    assert_eq!(
        parameters["args"],
        json!([
            "--python-expr",
            "use_gp3()",
            "--render-output",
            "/out/shot.v1",
            "--debug",
            "a b",
            "--render-frame",
            "1,2",
            "--",
            "--cycles-device",
            "OPTIX"
        ])
    );
    let keys: Vec<_> = job.settings.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["frames", "chunk_size", "format", "blendfile", "blender_args_after", "experimental_gp3"]
    );

    let job = farm.compile_source(DEVICES, json!({"frames": "1", "chunk_size": 1, "format": "PNG"})).unwrap();
    assert_eq!(job.tasks[0].commands[0].parameters["blendfile"], json!(null));
    assert_eq!(farm.scripts.job_type("test").unwrap().description.as_deref(), Some("Render with the GPU"));
}

/// Several passes with variables of the manager in paths, and a step that runs other programs.
const PASSES: &str = r#"
const JOB_TYPE = { label: "Passes", settings: [{ key: "passes", type: "string", choices: ["a", "b"], default: "a" }] };
function compileJob(job) {
    const settings = job.settings;
    const parts = settings.blendfile.split(/[\/\\]/);
    const project = parts[parts.length - 2];
    settings.job_sub_path = project + "/" + parts.slice(-1)[0].replace(".blend", "");
    const prepare = author.Task("prepare", "file-management");
    prepare.addCommand(author.Command("exec", { exe: settings.shell, args: ["mkdir", "-p", "{renderSubPath}"] }));
    prepare.addCommand(author.Command("exec", { exe: "true", args: settings.extra ? settings.extra.split(' ').filter(Boolean) : [], env: { A: { b: "c" } } }));
    job.addTask(prepare);
    for (const pass of settings.passes.split(",")) {
        const task = author.Task(`pass-${pass}`, "blender"); task.addCommand(author.Command("blender-render", {
            exe: "{blender}", blendfile: path.join("{clientStoragePath}", "{jobSubPath}", project, "x.blend"),
            args: ["--python", path.join("{clientStoragePath}", "startup_script.py"), "--", "{deviceType}", pass],
        }));
        task.addDependency(prepare);
        job.addTask(task);
    }
    const move = author.Task("move-to-final", "file-management");
    move.addCommand(author.Command("move-directory", { src: "/a", dest: "/b" }));
    job.tasks.slice(1).forEach((task) => move.addDependency(task));
    job.addTask(move);
}
"#;

#[test]
fn passes_with_variables() {
    let settings =
        json!({"blendfile": r"P:\show/shot\scene.blend", "passes": "color,depth", "shell": "/bin/sh"});
    let job = Farm::new().compile_source(PASSES, settings).unwrap();
    assert_eq!(names(&job), ["prepare", "pass-color", "pass-depth", "move-to-final"]);
    assert_eq!(job.tasks[3].dependencies, [1, 2]);
    assert_eq!(job.settings["job_sub_path"], "shot/scene");
    assert_eq!(
        commands(&job.tasks[0]),
        json!([
            {"name": "exec", "parameters": {"exe": "/bin/sh", "args": ["mkdir", "-p", "{renderSubPath}"]}, "total_step_count": 0},
            {"name": "exec", "parameters": {"exe": "true", "args": [], "env": {"A": {"b": "c"}}}, "total_step_count": 0},
        ])
    );
    let parameters = &job.tasks[2].commands[0].parameters;
    assert_eq!(parameters["blendfile"], "{clientStoragePath}/{jobSubPath}/shot/x.blend");
    assert_eq!(
        parameters["args"],
        json!(["--python", "{clientStoragePath}/startup_script.py", "--", "{deviceType}", "depth"])
    );
}
