// Renders one frame in tiles, each on any worker, then puts the tiles together.

const common = require("flamenco/settings");
const frames = require("flamenco/frames");
const python = require("flamenco/python");

// More would be more work for the farm than for the renderer.
const MAX_TILES = 10000;

const JOB_TYPE = {
    label: "Single Image Render",
    description: "Render one frame on many workers at once: each renders some tiles, which are then put together",
    settings: [
        {
            key: "frame",
            type: "int32",
            required: true,
            eval: "C.scene.frame_current",
            evalInfo: { showLinkButton: true, description: "The current frame of the scene" },
            description: "The frame to render",
        },
        {
            key: "tiles_across",
            type: "int32",
            required: true,
            default: 4,
            propargs: { min: 1, max: 100 },
            description: "Number of tiles from left to right",
        },
        {
            key: "tiles_down",
            type: "int32",
            required: true,
            default: 4,
            propargs: { min: 1, max: 100 },
            description: "Number of tiles from top to bottom",
        },
        {
            key: "overlap",
            type: "int32",
            default: 0,
            propargs: { min: 0, max: 1024 },
            eval: "0 if C.scene.render.engine == 'CYCLES' and not C.scene.cycles.use_denoising else 32",
            evalInfo: { showLinkButton: true, description: "32 pixels, or none for Cycles without denoising" },
            description:
                "Pixels that each tile is rendered larger on each side. Hides the seams of denoising and other effects " +
                "that look at neighbouring pixels",
        },
        {
            key: "samples",
            type: "int32",
            default: 0,
            propargs: { min: 0 },
            eval:
                "C.scene.cycles.samples if C.scene.render.engine == 'CYCLES' else " +
                "C.scene.eevee.taa_render_samples if 'EEVEE' in C.scene.render.engine else 0",
            evalInfo: { showLinkButton: true, description: "The samples of the scene" },
            description: "Samples of each pixel; 0 leaves them as they are in the scene",
        },
        {
            key: "resolution_scale",
            type: "int32",
            default: 100,
            propargs: { min: 1, max: 1000 },
            eval: "C.scene.render.resolution_percentage",
            evalInfo: { showLinkButton: true, description: "The resolution scale of the scene" },
            description: "Size of the image in percent of the scene's resolution",
        },
        {
            key: "use_compositor",
            type: "bool",
            default: true,
            description: "Run the scene's compositor, if it has one, over the whole image once the tiles are put together",
        },
        ...common.output("Where the image of this job is written, with the frame number for ######"),
        common.blendfile,
        common.format,
        common.scene,
        { key: "resolution_x", type: "int32", eval: "C.scene.render.resolution_x", visible: "hidden" },
        { key: "resolution_y", type: "int32", eval: "C.scene.render.resolution_y", visible: "hidden" },
    ],
};

const blender = require("flamenco/blender.py");
const compositor = require("flamenco/compositor.py");
const tiles = require("flamenco/tiles.py");
const RENDER = python.program(blender, tiles, compositor, require("flamenco/render_tile.py"));
const MERGE = python.program(blender, tiles, compositor, require("flamenco/merge_tiles.py"));

function compileJob(job) {
    const { settings } = job;
    refuseUnsuitable(settings);
    const output = frames.resolveOutputPath(job);
    const image = path.join(output.directory, numbered(path.basename(output.file), settings.frame || 0));
    const prefix = path.join(output.directory, "tiles", path.basename(image));

    const merge = author.Task("merge", "blender");
    const compositing = settings.use_compositor === false ? 0 : 1;
    const layout = [settings.tiles_across, settings.tiles_down, settings.overlap || 0, settings.resolution_scale || 0];
    for (let row = 0; row < settings.tiles_down; row++) {
        for (let column = 0; column < settings.tiles_across; column++) {
            const task = author.Task(`render-${column + 1}-${row + 1}`, "blender");
            const place = [column, row, settings.frame || 0, settings.samples || 0, compositing, prefix];
            const values = [...layout, ...place];
            task.addCommand(python.blenderCommand(settings, { program: RENDER, values, steps: 1 }));
            job.addTask(task);
            merge.addDependency(task);
        }
    }
    const values = [...layout, settings.frame || 0, compositing, prefix, image, settings.format];
    merge.addCommand(python.blenderCommand(settings, { program: MERGE, values, steps: 1 }));
    job.addTask(merge);
}

function refuseUnsuitable(settings) {
    frames.refuseVideoFormat(settings);
    if (settings.format === "OPEN_EXR_MULTILAYER" || settings.format === "MULTILAYER") {
        throw new Error("Tiles have no passes and layers to make a multi-layer file of; choose OPEN_EXR as the format");
    }
    if (!settings.format) {
        throw new Error('The setting "format" is missing; give an image format such as PNG or OPEN_EXR');
    }
    for (const [key, least] of [["frame", null], ["tiles_across", 1], ["tiles_down", 1], ["overlap", 0],
        ["samples", 0], ["resolution_scale", 0]]) {
        const value = settings[key];
        const optional = (value === undefined || value === null) && least !== 1;
        if (!optional && (!Number.isInteger(value) || (least !== null && value < least))) {
            throw new Error(`"${key}" must be a whole number${least === null ? "" : ` from ${least}`}, not ${value}`);
        }
    }
    if (settings.tiles_across * settings.tiles_down > MAX_TILES) {
        throw new Error(`The image cannot be cut into more than ${MAX_TILES} tiles`);
    }
    const scale = (settings.resolution_scale || 100) / 100;
    for (const [count, size] of [["tiles_across", "resolution_x"], ["tiles_down", "resolution_y"]]) {
        if (settings[size] && settings[count] > settings[size] * scale) {
            throw new Error(`"${count}" is ${settings[count]}, which is more than the image has pixels`);
        }
    }
}

// The name of the image: the frame number in place of "#", or after the name when there is none.
function numbered(name, frame) {
    const digits = (width) => (frame < 0 ? "-" : "") + String(Math.abs(frame)).padStart(width, "0");
    return name.includes("#") ? name.replace(/#+/, (hashes) => digits(hashes.length)) : `${name}-${digits(4)}`;
}
