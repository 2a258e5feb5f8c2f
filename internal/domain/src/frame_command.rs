//! Which frames the commands of a task render, and commands that render only some of them.
//!
//! Blender is told by its arguments: `--render-frame 1..3`, or `--frame-start 1 --frame-end 3 --render-anim`. Commands
//! that render something else, such as a tile of a picture by a script, do not say, and nothing is guessed.

use serde_json::{Value, json};

use crate::frame_range::FrameRange;
use crate::task::Command;

const RENDER: &str = "blender-render";
const RENDER_FRAME: [&str; 2] = ["--render-frame", "-f"];
const RENDER_ANIM: [&str; 2] = ["--render-anim", "-a"];
const START: [&str; 2] = ["--frame-start", "-s"];
const END: [&str; 2] = ["--frame-end", "-e"];
const JUMP: [&str; 2] = ["--frame-jump", "-j"];
/// Makes Blender write files anew that are there already. Goes before the argument that starts the rendering, since
/// Blender handles its arguments in order, and after whatever the job type says about it.
const OVERWRITE: &str =
    "import bpy; [setattr(scene.render, 'use_overwrite', True) for scene in bpy.data.scenes]";

/// The frames that commands render, as far as they all say; `None` when one of them does not, or none renders.
#[must_use]
pub fn frames_of(commands: &[Command]) -> Option<FrameRange> {
    let mut frames: Option<FrameRange> = None;
    for command in commands.iter().filter(|command| command.name == RENDER) {
        let found = frames_of_args(&args(command)?)?;
        frames = Some(frames.map_or_else(|| found.clone(), |before| before.union(&found)));
    }
    frames
}

/// The commands as they render only the given frames, and those anew. A command with none of them is left out.
#[must_use]
pub fn limited(commands: Vec<Command>, wanted: &FrameRange) -> Vec<Command> {
    commands.into_iter().filter_map(|command| limited_command(command, wanted)).collect()
}

fn limited_command(mut command: Command, wanted: &FrameRange) -> Option<Command> {
    let known = (command.name == RENDER)
        .then(|| args(&command))
        .flatten()
        .and_then(|args| Some((frames_of_args(&args)?, args)));
    let Some((frames, args)) = known else { return Some(command) };
    let frames = frames.intersection(wanted);
    if frames.is_empty() {
        return None;
    }
    let render = ["--python-expr", OVERWRITE, "--render-frame", &frames.to_string()].map(str::to_owned);
    let mut limited = Vec::with_capacity(args.len() + render.len());
    let mut rest = args.into_iter();
    while let Some(arg) = rest.next() {
        let is_one_of = |names: [&str; 2]| names.contains(&arg.as_str());
        if is_one_of(RENDER_FRAME) {
            rest.next();
            limited.extend(render.clone());
        } else if is_one_of(RENDER_ANIM) {
            limited.extend(render.clone());
        } else if is_one_of(START) || is_one_of(END) {
            rest.next();
        } else {
            limited.push(arg);
        }
    }
    command.parameters.insert("args".to_owned(), json!(limited));
    command.total_step_count = i64::try_from(frames.count()).unwrap_or(i64::MAX);
    Some(command)
}

/// The arguments of a command, if they are as a list of texts and numbers.
fn args(command: &Command) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    command.parameters.get("args")?.as_array()?.iter().map(text).collect()
}

/// The frames that arguments of Blender name. More than one argument that renders is more than is understood.
fn frames_of_args(args: &[String]) -> Option<FrameRange> {
    let value_of = |names: [&str; 2]| {
        let at = args.iter().position(|arg| names.contains(&arg.as_str()))?;
        args.get(at + 1)
    };
    let starts = |arg: &&String| RENDER_FRAME.contains(&arg.as_str()) || RENDER_ANIM.contains(&arg.as_str());
    if args.iter().filter(starts).count() != 1 || value_of(JUMP).is_some() {
        return None;
    }
    match value_of(RENDER_FRAME) {
        Some(frames) => FrameRange::parse(frames).ok(),
        None => FrameRange::parse(&format!("{}..{}", value_of(START)?, value_of(END)?)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &str, args: Value) -> Command {
        let parameters = json!({ "exe": "{blender}", "args": args }).as_object().unwrap().clone();
        Command { name: name.to_owned(), parameters, total_step_count: 9 }
    }

    #[test]
    fn frames_that_commands_name() {
        for (args, want) in [
            (json!(["--render-frame", "1..3"]), Some("1..3")),
            (json!(["-S", "Scene", "-f", "1,5..7"]), Some("1,5..7")),
            (json!(["-f", 4]), Some("4")),
            (json!(["-s", "2", "-e", "8", "-a"]), Some("2..8")),
            (json!(["--frame-start", 2, "--frame-end", 8, "--render-anim"]), Some("2..8")),
            (json!(["-s", "2", "-e", "8", "-j", "2", "-a"]), None),
            (json!(["-a"]), None),
            (json!(["--python", "tile.py"]), None),
            (json!(["-f", "1", "-f", "2"]), None),
            (json!(["-f"]), None),
            (json!(["-f", "x"]), None),
            (json!("-f 1"), None),
        ] {
            let found =
                frames_of(&[command("blender-render", args.clone())]).map(|frames| frames.to_string());
            assert_eq!(found.as_deref(), want, "{args}");
        }
        let chunk = |frames: &str| command("blender-render", json!(["-f", frames]));
        let both = [chunk("1..3"), command("copy-file", json!([])), chunk("7")];
        assert_eq!(frames_of(&both).unwrap().to_string(), "1..3,7");
        assert_eq!(
            frames_of(&[command("frames-to-video", json!(["-f", "1"]))]),
            None,
            "no command of Blender"
        );
        assert_eq!(frames_of(&[]), None);
    }

    #[test]
    fn limited_commands_render_only_what_is_wanted_and_write_it_anew() {
        let wanted = FrameRange::parse("2,3,9").unwrap();
        for (args, want) in [
            (json!(["-o", "/x", "--render-frame", "1..3"]), Some((json!(["-o", "/x"]), "2..3", 2))),
            (json!(["-s", 2, "-e", 2, "-F", "PNG", "-a"]), Some((json!(["-F", "PNG"]), "2", 1))),
            (json!(["-f", "4"]), None),
        ] {
            let limited = limited(vec![command("blender-render", args.clone())], &wanted);
            let found =
                limited.first().map(|command| (&command.parameters["args"], command.total_step_count));
            let want = want.map(|(start, frames, steps)| {
                let mut all = start.as_array().unwrap().clone();
                all.extend(
                    json!(["--python-expr", OVERWRITE, "--render-frame", frames]).as_array().unwrap().clone(),
                );
                (Value::from(all), steps)
            });
            assert_eq!(found, want.as_ref().map(|(args, steps)| (args, *steps)), "{args}");
        }
        let others =
            vec![command("copy-file", json!([])), command("blender-render", json!(["--python", "x.py"]))];
        assert_eq!(limited(others.clone(), &wanted), others, "what does not say is left as it is");
    }
}
