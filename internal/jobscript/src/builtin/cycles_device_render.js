// Renders a range of frames with Cycles on a device that the artist chooses, then makes a video of them.

const common = require("flamenco/settings");
const frames = require("flamenco/frames");
const python = require("flamenco/python");

const DEVICES = ["OPTIX", "CUDA", "HIP", "ONEAPI", "METAL", "CPU"];

// What the artist reads, and what Blender calls it.
const DENOISERS = new Map([
    ["as in the scene", "scene"],
    ["off", "off"],
    ["OpenImageDenoise", "OPENIMAGEDENOISE"],
    ["OptiX", "OPTIX"],
]);

const JOB_TYPE = {
    label: "Cycles Device Render",
    description: "Render a sequence of frames with Cycles on the graphics cards or the processors of the workers",
    settings: [
        common.frames,
        common.chunkSize,
        {
            key: "device",
            type: "string",
            required: true,
            choices: DEVICES,
            default: "OPTIX",
            eval:
                "C.preferences.addons['cycles'].preferences.compute_device_type.replace('NONE', 'CPU') " +
                "if C.scene.render.engine == 'CYCLES' and C.scene.cycles.device == 'GPU' else 'CPU'",
            description:
                "What Cycles renders on: OPTIX or CUDA for NVIDIA, HIP for AMD, ONEAPI for Intel, METAL for Apple, or " +
                "the CPU",
        },
        {
            key: "cpu_fallback",
            type: "bool",
            label: "CPU as Fallback",
            default: true,
            description:
                "A worker without such a device renders on its CPU, and says so in the log of the task. Switch this " +
                "off to let the task fail there, so that another worker takes it",
        },
        {
            key: "samples",
            type: "int32",
            default: 0,
            propargs: { min: 0 },
            eval: "C.scene.cycles.samples if C.scene.render.engine == 'CYCLES' else 0",
            evalInfo: { showLinkButton: true, description: "The samples of the scene" },
            description: "Samples of each pixel; 0 leaves them as they are in the scene",
        },
        {
            key: "denoiser",
            type: "string",
            choices: [...DENOISERS.keys()],
            default: "as in the scene",
            description: "What takes the noise out of the rendered frames",
        },
        ...common.output("Where the frames of this job are written"),
        ...common.sequence,
        { key: "engine", type: "string", eval: "C.scene.render.engine", visible: "hidden" },
    ],
};

const PROGRAM = python.program(require("flamenco/choose_device.py"));

function compileJob(job) {
    const { settings } = job;
    frames.refuseVideoFormat(settings);
    if (settings.engine && settings.engine !== "CYCLES") {
        throw new Error(
            `This job type renders with Cycles, but the scene is made for ${settings.engine}; ` +
                'choose Cycles in the render properties, or submit the job as "Simple Blender Render"',
        );
    }
    const output = frames.resolveOutputPath(job);
    const values = [device(settings), cpuFallback(settings), samples(settings), denoiser(settings)];

    const tasks = frameChunker(settings.frames, settings.chunk_size).map((chunk) => {
        const task = author.Task(`render-${chunk}`, "blender");
        const renderArgs = [
            "--render-output", output.file,
            "--render-format", settings.format,
            "--render-frame", frames.blenderFrames(chunk),
        ];
        const steps = frameCount(chunk);
        task.addCommand(python.blenderCommand(settings, { program: PROGRAM, values, renderArgs, steps }));
        return task;
    });
    frames.addTasks(job, tasks);
    frames.addVideo(job, tasks, output.directory);
}

function device(settings) {
    const device = String(settings.device || "CPU").toUpperCase();
    if (!DEVICES.includes(device)) {
        throw new Error(`There is no device "${settings.device}"; choose one of ${DEVICES.join(", ")}`);
    }
    return device;
}

// Without the setting, as its default says.
function cpuFallback(settings) {
    return settings.cpu_fallback === false ? 0 : 1;
}

function samples(settings) {
    const samples = settings.samples || 0;
    if (!Number.isInteger(samples) || samples < 0) {
        throw new Error(`The samples must be a whole number from 0, not ${settings.samples}`);
    }
    return samples;
}

function denoiser(settings) {
    const chosen = settings.denoiser || "as in the scene";
    if (!DENOISERS.has(chosen)) {
        throw new Error(`There is no denoiser "${chosen}"; choose one of: ${[...DENOISERS.keys()].join(", ")}`);
    }
    return DENOISERS.get(chosen);
}
