// Runs a scene's compositor over frames that exist already, without rendering anything.

const common = require("flamenco/settings");
const frames = require("flamenco/frames");
const python = require("flamenco/python");

const JOB_TYPE = {
    label: "Compositor Run",
    description: "Run the compositor of the scene over frames that were rendered before, without rendering them again",
    settings: [
        common.frames,
        {
            ...common.chunkSize,
            default: 10,
            description: "How many frames one Blender process handles",
        },
        {
            key: "input_path",
            type: "string",
            subtype: "file_path",
            required: true,
            eval:
                "abspath(C.scene.render.filepath + ('' if '#' in C.scene.render.filepath else '####') + " +
                "('' if C.scene.render.filepath.endswith(C.scene.render.file_extension) else " +
                "C.scene.render.file_extension))",
            description:
                "The rendered frames, with # for each digit of the frame number: /render/shot/######.exr. They take the " +
                "place of the scene's Render Layers",
        },
        {
            key: "redirect_file_outputs",
            type: "bool",
            default: true,
            description:
                "Let File Output nodes write into the directory of this job, each into a directory with its name. " +
                "Otherwise they write to where their settings say, as the workers see it",
        },
        ...common.output("Where the composited frames of this job are written"),
        ...common.sequence,
        {
            key: "has_image_output",
            type: "bool",
            eval:
                "any(node.type in {'COMPOSITE', 'GROUP_OUTPUT'} for node in getattr(getattr(C.scene, " +
                "'compositing_node_group', None) or getattr(C.scene, 'node_tree', None), 'nodes', []))",
            visible: "hidden",
            description: "Whether the compositor makes an image, and not only what File Output nodes write",
        },
    ],
};

const PROGRAM = python.program(
    require("flamenco/blender.py"),
    require("flamenco/compositor.py"),
    require("flamenco/run_compositor.py"),
);

function compileJob(job) {
    const { settings } = job;
    frames.refuseVideoFormat(settings);
    if (!settings.input_path) {
        throw new Error('No input path is set; say where the rendered frames are, such as "/render/shot/######.exr"');
    }
    if (!settings.input_path.includes("#")) {
        throw new Error(
            `The input path "${settings.input_path}" has no # for the frame number; write for example ######.exr`,
        );
    }
    if (!settings.format) {
        throw new Error('The setting "format" is missing; give an image format such as PNG or OPEN_EXR');
    }
    const output = frames.resolveOutputPath(job);
    if (!path.basename(output.file).includes("#")) {
        throw new Error(`The output path "${output.file}" has no # for the frame number`);
    }
    const redirect = settings.redirect_file_outputs === false ? 0 : 1;

    const tasks = frameChunker(settings.frames, settings.chunk_size).map((chunk) => {
        const task = author.Task(`composite-${chunk}`, "blender");
        const values = [chunk, redirect, settings.input_path, output.file, settings.format];
        const steps = frameCount(chunk);
        task.addCommand(python.blenderCommand(settings, { program: PROGRAM, values, steps }));
        return task;
    });
    frames.addTasks(job, tasks);
    if (settings.has_image_output !== false) {
        frames.addVideo(job, tasks, output.directory);
    }
}
