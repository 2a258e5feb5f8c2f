// Renders a range of frames in chunks, then makes a video of them for a quick look.

const JOB_TYPE = {
    label: "Simple Blender Render",
    description: "Render a sequence of frames, and make a preview video of the result",
    settings: [
        // Shown to the artist.
        {
            key: "frames",
            type: "string",
            required: true,
            eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
            evalInfo: {
                showLinkButton: true,
                description: "The frame range of the scene",
            },
            description: "Frames to render, for example '47', '1-30', or '3, 5-10, 47-327'",
        },
        {
            key: "chunk_size",
            type: "int32",
            default: 1,
            description: "How many frames one Blender process renders",
            visible: "submission",
        },
        {
            key: "render_output_root",
            type: "string",
            subtype: "dir_path",
            required: true,
            visible: "submission",
            description: "Directory that the output of all renders goes to; this job gets a directory of its own in it",
        },
        {
            key: "add_path_components",
            type: "int32",
            required: true,
            default: 0,
            propargs: { min: 0, max: 32 },
            visible: "submission",
            description: "How many of the last directories of the blend file's path to repeat in the output path",
        },
        {
            key: "render_output_path",
            type: "string",
            subtype: "file_path",
            editable: false,
            eval:
                "str(Path(abspath(settings.render_output_root), last_n_dir_parts(settings.add_path_components), " +
                "jobname, '{timestamp}', '######'))",
            description: "Where the frames of this job are written",
        },

        // Found out by Blender when the job is submitted.
        {
            key: "blendfile",
            type: "string",
            required: true,
            visible: "web",
            description: "The blend file that is rendered",
        },
        { key: "fps", type: "float", eval: "C.scene.render.fps / C.scene.render.fps_base", visible: "hidden" },
        {
            key: "format",
            type: "string",
            required: true,
            eval: "C.scene.render.image_settings.file_format",
            visible: "web",
        },
        {
            key: "image_file_extension",
            type: "string",
            required: true,
            eval: "C.scene.render.file_extension",
            visible: "hidden",
            description: "Extension of the rendered files",
        },
        {
            key: "has_previews",
            type: "bool",
            required: false,
            eval: "C.scene.render.image_settings.use_preview",
            visible: "hidden",
            description: "Whether Blender writes a JPEG preview next to each rendered image",
        },
        {
            key: "scene",
            type: "string",
            required: true,
            eval: "C.scene.name",
            visible: "web",
            description: "Name of the scene that is rendered",
        },
    ],
};

const VIDEO_FORMATS = new Set(["FFMPEG", "AVI_RAW", "AVI_JPEG"]);

// Formats that FFmpeg cannot be trusted to read; their previews can be used instead.
const PREVIEW_ONLY_FORMATS = new Set(["EXR", "MULTILAYER", "OPEN_EXR", "OPEN_EXR_MULTILAYER"]);

// The extension follows the render settings, and a task that runs again keeps the frames it already has.
const RENDER_SETTINGS_PYTHON = [
    "import bpy",
    "render = bpy.context.scene.render",
    "render.use_file_extension = True",
    "render.use_overwrite = False",
    "render.use_placeholder = False",
].join("; ");

function compileJob(job) {
    const settings = job.settings;
    if (VIDEO_FORMATS.has(settings.format)) {
        throw new Error(
            `This job type only renders images, not the video format "${settings.format}"; ` +
                "choose an image format such as PNG in the output properties",
        );
    }
    if (!settings.render_output_path) {
        throw new Error("No render output path is set; choose a render output root in the job settings");
    }

    // Stored with the job, so that the web page can show where the frames are.
    settings.render_output_path = settings.render_output_path.replace(
        "{timestamp}",
        formatTimestampLocal(job.created),
    );
    const renderDir = path.dirname(settings.render_output_path);

    const renderTasks = authorRenderTasks(settings, renderDir);
    for (const task of renderTasks) {
        job.addTask(task);
    }
    const video = authorVideoTask(settings, renderDir);
    if (video) {
        for (const task of renderTasks) {
            video.addDependency(task);
        }
        job.addTask(video);
    }
}

function authorRenderTasks(settings, renderDir) {
    const output = path.join(renderDir, path.basename(settings.render_output_path));
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
                "--render-frame", chunk.replaceAll("-", ".."),
            ],
        };
        task.addCommand(author.Command("blender-render", parameters, frameCount(chunk)));
        return task;
    });
}

function authorVideoTask(settings, renderDir) {
    const usePreviews = PREVIEW_ONLY_FORMATS.has(settings.format);
    if ((usePreviews && !settings.has_previews) || !settings.fps) {
        return null;
    }
    const extension = usePreviews ? ".jpg" : settings.image_file_extension;
    if (!extension) {
        throw new Error('The setting "image_file_extension" is missing; it is needed to find the frames of the video');
    }

    const stem = path.stem(settings.blendfile).replace(".flamenco", "");
    const task = author.Task("preview-video", "ffmpeg");
    task.addCommand(
        author.Command("frames-to-video", {
            exe: "ffmpeg",
            fps: settings.fps,
            inputGlob: path.join(renderDir, `*${extension}`),
            outputFile: path.join(renderDir, `${stem}-${frameSpan(settings.frames)}.mp4`),
            args: [
                "-c:v", "h264",
                "-crf", "20",
                "-g", "18",
                // Video encoders want an even number of pixels.
                "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                "-pix_fmt", "yuv420p",
                "-r", settings.fps,
                "-y",
            ],
        }),
    );
    return task;
}

// A list of ranges would make an unwieldy file name: only its first and last frame are used.
function frameSpan(frames) {
    if (!String(frames).includes(",")) {
        return frames;
    }
    const [allFrames] = frameChunker(frames, Number.MAX_SAFE_INTEGER);
    const numbers = allFrames.match(/\d+/g);
    return `${numbers[0]}-${numbers[numbers.length - 1]}`;
}
