// What the job types that write sequences of frames have in common.
"use strict";

const VIDEO_FORMATS = new Set(["FFMPEG", "AVI_RAW", "AVI_JPEG"]);

// Formats that FFmpeg cannot be trusted to read; their previews can be used instead.
const PREVIEW_ONLY_FORMATS = new Set(["EXR", "MULTILAYER", "OPEN_EXR", "OPEN_EXR_MULTILAYER"]);

exports.refuseVideoFormat = function (settings) {
    if (VIDEO_FORMATS.has(settings.format)) {
        throw new Error(
            `This job type only renders images, not the video format "${settings.format}"; ` +
                "choose an image format such as PNG in the output properties",
        );
    }
};

// Puts the time into the output path, and stores it with the job, so that the web page can show where the frames are.
exports.resolveOutputPath = function (job) {
    const settings = job.settings;
    if (!settings.render_output_path) {
        throw new Error("No render output path is set; choose a render output root in the job settings");
    }
    settings.render_output_path = settings.render_output_path.replace(
        "{timestamp}",
        formatTimestampLocal(job.created),
    );
    const directory = path.dirname(settings.render_output_path);
    return { directory, file: path.join(directory, path.basename(settings.render_output_path)) };
};

// Chunks are written 1-3 here, and 1..3 on Blender's command line.
exports.blenderFrames = (chunk) => chunk.replaceAll("-", "..");

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

exports.addTasks = function (job, tasks) {
    for (const task of tasks) {
        job.addTask(task);
    }
};

// Adds the task that makes a video of the frames once `tasks` have made them, where that makes sense.
exports.addVideo = function (job, tasks, renderDir) {
    const video = authorVideoTask(job.settings, renderDir);
    if (video) {
        for (const task of tasks) {
            video.addDependency(task);
        }
        job.addTask(video);
    }
};

// A list of ranges would make an unwieldy file name: only its first and last frame are used.
function frameSpan(frames) {
    if (!String(frames).includes(",")) {
        return frames;
    }
    const [allFrames] = frameChunker(frames, Number.MAX_SAFE_INTEGER);
    const numbers = allFrames.match(/\d+/g);
    return `${numbers[0]}-${numbers[numbers.length - 1]}`;
}
