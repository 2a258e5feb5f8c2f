// Renders a range of frames in chunks, then makes a video of them for a quick look.

const common = require("flamenco/settings");
const frames = require("flamenco/frames");

const JOB_TYPE = {
    label: "Simple Blender Render",
    description: "Render a sequence of frames, and make a preview video of the result",
    settings: [
        common.frames,
        common.chunkSize,
        ...common.output("Where the frames of this job are written"),
        ...common.sequence,
    ],
};

// The extension follows the render settings, and a task that runs again keeps the frames it already has.
const RENDER_SETTINGS_PYTHON = [
    "import bpy",
    "render = bpy.context.scene.render",
    "render.use_file_extension = True",
    "render.use_overwrite = False",
    "render.use_placeholder = False",
].join("; ");

function compileJob(job) {
    frames.refuseVideoFormat(job.settings);
    const output = frames.resolveOutputPath(job);
    const tasks = authorRenderTasks(job.settings, output.file);
    frames.addTasks(job, tasks);
    frames.addVideo(job, tasks, output.directory);
}

function authorRenderTasks(settings, output) {
    const sceneArgs = settings.scene ? ["--scene", settings.scene] : [];

    return frameChunker(settings.frames, settings.chunk_size).map((chunk) => {
        const task = author.Task(`render-${chunk}`, "blender");
        const parameters = {
            exe: "{blender}",
            exeArgs: "{blenderArgs}",
            argsBefore: [],
            blendfile: settings.blendfile,
            args: [
                ...sceneArgs,
                // Before --render-frame, because Blender handles its arguments in order.
                "--python-expr", RENDER_SETTINGS_PYTHON,
                "--render-output", output,
                "--render-format", settings.format,
                "--render-frame", frames.blenderFrames(chunk),
            ],
        };
        task.addCommand(author.Command("blender-render", parameters, frameCount(chunk)));
        return task;
    });
}
