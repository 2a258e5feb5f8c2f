//! Running out of memory at any moment is an error, and never the end of the process.

use crate::support::Farm;
use flamenco_jobscript::{Error, Limits};
use serde_json::json;

/// Touches as many parts of the engine as it can, each of which may be the one that finds no more memory.
const HUNGRY: &str = r#"
    const keep = [];
    class Base { #secret = [1, 2, 3]; static made = 0; constructor() { Base.made++; } get secret() { return this.#secret; } }
    class Derived extends Base { extra = {a: 1}; toString() { return `Derived ${this.secret} ${super.secret}`; } }
    function* numbers(count) { for (let i = 0; i < count; i++) yield {i, text: `number ${i}`}; }
    for (let round = 0; round < 1600; round++) {
        keep.push([...numbers(5)], new Derived(), String(new Derived()), new Map([[round, {}]]), new Set([round]));
        keep.push(JSON.parse(JSON.stringify({round, list: [1.5, 'x', null, {deep: [[]]}]})));
        keep.push('a-b-c'.replaceAll('-', '..').split('.'), /(?<first>\w)-(\w)/u.exec('a-b-c'), new Date(round * 1e9));
        keep.push(Object.entries({['key' + round]: round}), new Function('x', 'return x + ' + round), Symbol('s' + round));
        keep.push(frameChunker('1-20', 3), shellSplit("a 'b c' d"), path.join('a', '..', 'b' + round), 2n ** 90n);
        const task = author.Task('task ' + round, 'misc');
        const command = author.Command('run', {args: ['a', round, {b: [null, true]}], text: 'x'.repeat(100)}, round);
        command.parameters.more = [round];
        task.addCommand(command);
        if (round > 0) task.addDependency(job.tasks[round - 1]);
        job.addTask(task);
        try { null.x; } catch (error) { keep.push(error, error.stack); }
        job.settings['key' + round] = {list: [round]};
        job.metadata['key' + round] = round;
        Promise.resolve(round).then(async (value) => { keep.push(await value); });
        [3, 1, 2].sort((a, b) => { keep.push([a, b]); return a - b; });
        keep.push(new Proxy({}, {get: () => round}).x, new Uint8Array(64), Array.from('häß€😀'), escape('ü'), structured(round));
    }
    function structured({length = 2, ...rest} = {}) { return ((...all) => [...all, {...rest}])(1, ...[2, 3], length); }
"#;

#[test]
fn memory_may_run_out_anywhere() {
    let enough = Farm::new().compile_body(HUNGRY, json!({})).unwrap();
    assert_eq!(enough.tasks.len(), 1600);

    let mut memory = 4 << 20;
    while memory < 8 << 20 {
        let farm = Farm::with_limits(Limits { memory, ..Limits::default() });
        let error = farm.compile_body(HUNGRY, json!({})).unwrap_err();
        assert!(matches!(error, Error::MemoryLimit { .. }), "with {memory} bytes: {error}");
        // A prime, so that the moments are spread evenly.
        memory += 160_001;
    }
}
