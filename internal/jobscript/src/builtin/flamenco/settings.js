// Settings that several job types have.
"use strict";

exports.frames = {
    key: "frames",
    type: "string",
    required: true,
    eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
    evalInfo: {
        showLinkButton: true,
        description: "The frame range of the scene",
    },
    description: "Frames to render, for example '47', '1-30', or '3, 5-10, 47-327'",
};

exports.chunkSize = {
    key: "chunk_size",
    type: "int32",
    default: 1,
    description: "How many frames one Blender process renders",
    visible: "submission",
};

// Where the job writes; `description` tells about the resulting path.
exports.output = (description) => [
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
        description,
    },
];

// Found out by Blender when the job is submitted.
exports.blendfile = {
    key: "blendfile",
    type: "string",
    required: true,
    visible: "web",
    description: "The blend file that is rendered",
};

exports.format = {
    key: "format",
    type: "string",
    required: true,
    eval: "C.scene.render.image_settings.file_format",
    visible: "web",
};

exports.scene = {
    key: "scene",
    type: "string",
    required: true,
    eval: "C.scene.name",
    visible: "web",
    description: "Name of the scene that is rendered",
};

// What a job about a sequence of frames needs to know for its video.
exports.sequence = [
    exports.blendfile,
    { key: "fps", type: "float", eval: "C.scene.render.fps / C.scene.render.fps_base", visible: "hidden" },
    exports.format,
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
    exports.scene,
];
