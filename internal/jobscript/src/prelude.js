// Everything a job type script sees that is not part of JavaScript itself.
//
// Runs once in each new realm, before the script. `host` holds functions of the manager; they take and give plain
// strings and numbers. Conversion of arguments happens here, because its rules are those of JavaScript.
//
// Nothing here looks up a global after the first run: scripts may replace any of them.
(function (host) {
    "use strict";

    const { Array, Date, Error, Map, Number, Object, Promise, Set, String, TypeError } = globalThis;
    const Boolean = globalThis.Boolean;
    const isArray = Array.isArray;
    const plainPrototype = Object.prototype;
    const keys = Object.keys;
    const stringify = JSON.stringify;
    const parse = JSON.parse;
    const trunc = Math.trunc;
    const isFinite = Number.isFinite;
    const call = Function.prototype.call;
    const trim = call.bind(String.prototype.trim);
    const endsWith = call.bind(String.prototype.endsWith);
    const getTime = call.bind(Date.prototype.getTime);
    const toISOString = call.bind(Date.prototype.toISOString);

    // ---- Conversion of arguments

    function text(value) {
        return typeof value === "string" ? value : value === undefined || value === null ? "" : String(value);
    }

    function integer(value) {
        if (value === undefined || value === null) {
            return 0;
        }
        const number = trunc(Number(value));
        // Adding zero turns -0 into 0.
        return isFinite(number) ? number + 0 : 0;
    }

    function isObject(value) {
        return value !== null && typeof value === "object";
    }

    function kindOf(value) {
        return value === null ? "null" : isArray(value) ? "an array" : typeof value;
    }

    function milliseconds(value) {
        const time = value instanceof Date ? getTime(value) : typeof value === "string" ? getTime(new Date(value)) : NaN;
        if (!isFinite(time)) {
            throw new TypeError("formatTimestampLocal() needs a date, such as job.created");
        }
        return time;
    }

    // What the host cannot see of a value while it turns it into JSON: dates, sets, wrappers.
    function simplify(value) {
        if (typeof value === "bigint") {
            return Number(value);
        }
        if (value instanceof Date) {
            return isFinite(getTime(value)) ? toISOString(value) : NaN;
        }
        if (value instanceof Set) {
            return [...value];
        }
        if (value instanceof String || value instanceof Number || value instanceof Boolean) {
            return value.valueOf();
        }
        if (value instanceof Map || value instanceof Promise) {
            return undefined;
        }
        return value;
    }

    // ---- Tasks and commands

    let isTask, uuidOf, positionOf, setPosition, markAdded, isCommand, snapshotOf, changedParameters, markUsed;
    let finished = false;

    function mustBeCompiling(what) {
        if (finished) {
            throw new Error(`${what}() cannot be called any more: the job has been compiled`);
        }
    }

    class Command {
        #snapshot;
        #changed;
        #used = false;

        constructor(name, snapshot, totalStepCount) {
            this.name = name;
            this.totalStepCount = totalStepCount;
            this.#snapshot = snapshot;
        }

        // Most scripts never look at the parameters again. Only those that do pay for a copy of their own.
        get parameters() {
            if (this.#changed === undefined) {
                this.#changed = parse(host.parameters(this.#snapshot));
            }
            return this.#changed;
        }

        set parameters(value) {
            this.#changed = value === undefined || value === null ? {} : value;
        }

        toJSON() {
            return { name: this.name, parameters: this.parameters, totalStepCount: this.totalStepCount };
        }

        static {
            isCommand = (value) => isObject(value) && #snapshot in value;
            snapshotOf = (command) => command.#snapshot;
            changedParameters = (command) => command.#changed;
            markUsed = (command) => {
                const before = command.#used;
                command.#used = true;
                return before;
            };
        }
    }

    class Task {
        // Made when somebody asks for it, and else by the host.
        #uuid = undefined;
        #position = -1;
        #added = false;

        constructor(name, type) {
            this.name = name;
            this.type = type;
            this.priority = 50;
            this.commands = [];
            this.dependencies = [];
        }

        get uuid() {
            if (this.#uuid === undefined) {
                this.#uuid = host.newUuid();
            }
            return this.#uuid;
        }

        get uUID() {
            return this.uuid;
        }

        addCommand(command) {
            mustBeCompiling("addCommand");
            if (!isCommand(command)) {
                throw new TypeError(`addCommand() needs a command made by author.Command(), not ${kindOf(command)}`);
            }
            this.commands[this.commands.length] = command;
        }

        addDependency(task) {
            mustBeCompiling("addDependency");
            if (!isTask(task)) {
                throw new TypeError(`addDependency() needs a task made by author.Task(), not ${kindOf(task)}`);
            }
            if (task === this) {
                throw new Error(`task "${text(this.name)}" cannot depend on itself`);
            }
            this.dependencies[this.dependencies.length] = task;
        }

        // Dependencies by name: written out in full they would repeat whole chains of tasks.
        toJSON() {
            const { name, type, priority, commands } = this;
            const dependencies = [];
            for (let index = 0; index < this.dependencies.length; index++) {
                dependencies[index] = text(this.dependencies[index].name);
            }
            return { uuid: this.uuid, name, type, priority, commands, dependencies };
        }

        static {
            isTask = (value) => isObject(value) && #uuid in value;
            uuidOf = (task) => task.#uuid;
            positionOf = (task) => task.#position;
            setPosition = (task, position) => {
                task.#position = position;
            };
            markAdded = (task) => {
                const before = task.#added;
                task.#added = true;
                return before;
            };
        }
    }

    class Job {
        constructor(fields) {
            this.jobID = fields.jobID;
            this.name = fields.name;
            this.jobType = fields.jobType;
            this.priority = fields.priority;
            this.status = "under-construction";
            this.created = new Date(fields.created);
            this.workerTagUUID = fields.workerTagUUID;
            this.settings = fields.settings;
            this.metadata = fields.metadata;
            this.storage = { shamanCheckoutID: fields.shamanCheckoutID };
            this.tasks = [];
        }

        addTask(task) {
            mustBeCompiling("addTask");
            if (!isTask(task)) {
                throw new TypeError(`addTask() needs a task made by author.Task(), not ${kindOf(task)}`);
            }
            if (markAdded(task)) {
                throw new Error(`task "${text(task.name)}" is added to the job twice`);
            }
            this.tasks[this.tasks.length] = task;
        }
    }

    // Ordinary functions, so that they work with and without `new`.
    const author = {
        Task: function (name, type) {
            const taskName = trim(text(name));
            if (taskName === "") {
                throw new Error("author.Task(name, type): the name is required");
            }
            const taskType = trim(text(type));
            if (taskType === "") {
                throw new Error(`author.Task("${taskName}", type): the type is required`);
            }
            return new Task(taskName, taskType);
        },
        Command: function (name, parameters, totalStepCount) {
            const commandName = text(name);
            if (trim(commandName) === "") {
                throw new Error("author.Command(name, parameters): the name is required");
            }
            const given = parameters === undefined || parameters === null ? {} : parameters;
            if (!isObject(given) || isArray(given)) {
                throw new TypeError(
                    `author.Command("${commandName}", parameters): the parameters must be an object, not ${kindOf(given)}`,
                );
            }
            const steps = integer(totalStepCount);
            const snapshot = host.snapshot(commandName, given, simplify, plainPrototype);
            return new Command(commandName, snapshot, steps > 0 ? steps : 0);
        },
    };
    author.Task.prototype = Task.prototype;
    author.Command.prototype = Command.prototype;

    // ---- Printing

    function printed(value) {
        try {
            if (typeof value === "string") {
                return value;
            }
            const json = isObject(value) && !(value instanceof Error) ? stringify(value) : undefined;
            return json === undefined ? String(value) : json;
        } catch {
            return `(${typeof value} that cannot be printed)`;
        }
    }

    function print(warning, values) {
        let line = "";
        for (let index = 0; index < values.length; index++) {
            line += (index > 0 ? " " : "") + printed(values[index]);
        }
        host.print(warning, line);
    }

    // ---- Globals

    const path = {
        basename: (name) => host.pathBasename(text(name)),
        dirname: (name) => host.pathDirname(text(name)),
        join: (...parts) => {
            const texts = [];
            for (let index = 0; index < parts.length; index++) {
                texts[index] = text(parts[index]);
            }
            return host.pathJoin(texts);
        },
        stem: (name) => host.pathStem(text(name)),
    };
    const process = { cwd: () => host.currentDirectory(), platform: host.platform };
    const provided = { __proto__: null, author, path, process };
    const loaded = { __proto__: null };

    function requireIn(directory) {
        return function require(name) {
            const wanted = text(name);
            if (wanted in provided) {
                return provided[wanted];
            }
            // Modules of the program itself have names that no file can have: <flamenco/frames.js>.
            const file = host.builtInModule(wanted) || host.resolveModule(directory, wanted);
            if (file in loaded) {
                return loaded[file].exports;
            }
            const module = { exports: {}, id: file, filename: file };
            loaded[file] = module;
            try {
                if (endsWith(file, ".json")) {
                    module.exports = host.jsonModule(file);
                } else if (endsWith(file, ".py") || endsWith(file, ".py>")) {
                    // Programs for Blender, to be sent with a task.
                    module.exports = host.textModule(file);
                } else {
                    const run = host.scriptModule(file);
                    call.call(run, module.exports, module.exports, requireIn(host.directoryOf(file)), module);
                }
            } catch (error) {
                // A module that failed to load is not half-loaded for the next one who asks.
                delete loaded[file];
                throw error;
            }
            return module.exports;
        };
    }

    const globals = {
        print: (...values) => print(false, values),
        alert: (...values) => print(true, values),
        frameChunker: (range, chunkSize) => host.frameChunker(text(range), integer(chunkSize)),
        frameCount: (range) => host.frameCount(text(range)),
        formatTimestampLocal: (timestamp) => host.formatTimestampLocal(milliseconds(timestamp)),
        shellSplit: (line) => host.shellSplit(text(line)),
        author,
        path,
        process,
        require: requireIn(""),
    };
    for (const name of keys(globals)) {
        // Not enumerable and not lexical: a script may declare a variable of the same name.
        Object.defineProperty(globalThis, name, {
            value: globals[name],
            writable: true,
            configurable: true,
            enumerable: false,
        });
    }

    if (host.traceThrows) {
        // The engine remembers where an Error was made, but not where a string was thrown.
        Error.prepareStackTrace = (error, frames) => {
            if (!(error instanceof Error)) {
                for (let index = 0; index < frames.length; index++) {
                    const frame = frames[index];
                    const file = frame.getFileName();
                    if (typeof file === "string" && frame.getLineNumber() > 0) {
                        host.thrownAt(file, frame.getLineNumber(), frame.getColumnNumber());
                        return undefined;
                    }
                }
            }
            return undefined;
        };
    }

    // ---- For the host

    function fieldsOf(value, what) {
        if (value === undefined || value === null) {
            return {};
        }
        if (!isObject(value) || isArray(value)) {
            throw new TypeError(`${what} must be an object, not ${kindOf(value)}`);
        }
        return value;
    }

    function sharedSnapshots(tasks) {
        const shared = [];
        for (let index = 0; index < tasks.length; index++) {
            const commands = tasks[index].commands;
            // Anything else is refused when the task is exported.
            for (let item = 0; isArray(commands) && item < commands.length; item++) {
                const command = commands[item];
                if (isCommand(command) && markUsed(command)) {
                    shared[shared.length] = snapshotOf(command);
                }
            }
        }
        return shared;
    }

    return {
        simplify,
        plainPrototype,

        newJob: (json, settings, metadata) => {
            const fields = parse(json);
            fields.settings = parse(settings);
            fields.metadata = parse(metadata);
            return new Job(fields);
        },

        // Ends the compilation: gives [name, priority, settings, [metadata key, value, …], number of tasks,
        // [snapshot number of a command that is used more than once, …]].
        finishJob: (job) => {
            finished = true;
            const metadata = fieldsOf(job.metadata, "job.metadata");
            const names = keys(metadata);
            const entries = [];
            for (let index = 0; index < names.length; index++) {
                entries[2 * index] = names[index];
                entries[2 * index + 1] = text(metadata[names[index]]);
            }
            const settings = fieldsOf(job.settings, "job.settings");
            const tasks = job.tasks;
            if (!isArray(tasks)) {
                throw new TypeError(`job.tasks must be an array, not ${kindOf(tasks)}`);
            }
            for (let index = 0; index < tasks.length; index++) {
                const task = tasks[index];
                if (!isTask(task)) {
                    throw new TypeError(`job.tasks[${index}] must be a task made by author.Task(), not ${kindOf(task)}`);
                }
                if (positionOf(task) >= 0) {
                    throw new Error(`task "${text(task.name)}" is added to the job twice`);
                }
                setPosition(task, index);
            }
            return [text(job.name), integer(job.priority), settings, entries, tasks.length, sharedSnapshots(tasks)];
        },

        // Gives [uuid or undefined, name, type, priority, [position of a dependency, …], then for each command its name, number
        // of steps, snapshot number, and its parameters if the script has looked at them since].
        exportTask: (job, index) => {
            const task = job.tasks[index];
            const name = trim(text(task.name));
            const type = trim(text(task.type));
            if (name === "" || type === "") {
                throw new Error(`task number ${index + 1} of the job has no ${name === "" ? "name" : "type"}`);
            }
            const { dependencies, commands } = task;
            if (!isArray(dependencies) || !isArray(commands)) {
                throw new TypeError(`the dependencies and commands of task "${name}" must be arrays`);
            }
            const positions = [];
            for (let item = 0; item < dependencies.length; item++) {
                const other = dependencies[item];
                if (!isTask(other)) {
                    throw new TypeError(`a dependency of task "${name}" is not a task but ${kindOf(other)}`);
                }
                const position = positionOf(other);
                if (position < 0) {
                    throw new Error(
                        `task "${name}" depends on task "${text(other.name)}", which is not part of the job; ` +
                            "add it with job.addTask()",
                    );
                }
                positions[item] = position;
            }
            const record = [uuidOf(task), name, type, integer(task.priority), positions];
            for (let item = 0; item < commands.length; item++) {
                const command = commands[item];
                if (!isCommand(command)) {
                    throw new TypeError(`a command of task "${name}" is not a command but ${kindOf(command)}`);
                }
                const commandName = text(command.name);
                if (trim(commandName) === "") {
                    throw new Error(`a command of task "${name}" has no name`);
                }
                const steps = integer(command.totalStepCount);
                const next = record.length;
                record[next] = commandName;
                record[next + 1] = steps > 0 ? steps : 0;
                record[next + 2] = snapshotOf(command);
                record[next + 3] = changedParameters(command);
            }
            return record;
        },
    };
})
