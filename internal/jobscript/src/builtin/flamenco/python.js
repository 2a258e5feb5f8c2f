// Python for Blender, from the .py files beside this one.
"use strict";

// Tasks carry their program text, so what only people read is left out.
function compact(text) {
    return text.replace(/^\s*(#.*)?\n/gm, "");
}

// One program of several files.
exports.program = (...texts) => texts.map(compact).join("");

// A command that runs Python in Blender, and then, with `frames`, renders those. `values` are the program's arguments.
exports.blenderCommand = function (settings, { program, values, renderArgs = [], steps }) {
    const parameters = {
        exe: "{blender}",
        exeArgs: "{blenderArgs}",
        argsBefore: [],
        blendfile: settings.blendfile,
        args: [
            ...(settings.scene ? ["--scene", settings.scene] : []),
            // Otherwise Blender goes on, and succeeds, after an error in Python.
            "--python-exit-code", "1",
            "--python-expr", program,
            ...renderArgs,
            "--",
            ...values.map(String),
        ],
    };
    return author.Command("blender-render", parameters, steps);
};
