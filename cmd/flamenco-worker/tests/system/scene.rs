//! Blend files, and the pictures that Blender makes of them.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::{Mutex, MutexGuard};

/// Whoever renders holds this: a second Blender would only make the first one slow, and timings wrong.
static TURN: Mutex<()> = Mutex::const_new(());

/// Waits for this test's turn to render.
pub async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// Width and height of a picture in pixels.
pub type Size = (u32, u32);

/// The scene of the demo.
pub const DEMO: Scene = Scene { size: (320, 180), samples: 4 };
/// One that takes long enough per frame to do something to the farm meanwhile.
pub const SLOW: Scene = Scene { size: (160, 90), samples: 64 };

/// How to render.
pub struct Scene {
    pub size: Size,
    pub samples: u32,
}

impl Scene {
    /// Has Blender make the blend file.
    pub fn save(&self, blendfile: &Path) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/src/demo/scene.py");
        let output = Command::new("blender")
            .args(["--background", "--factory-startup", "--python-exit-code", "1", "--python"])
            .arg(script)
            .arg("--")
            .arg(blendfile)
            .args(["--samples", &self.samples.to_string()])
            .args(["--size", &format!("{}x{}", self.size.0, self.size.1)])
            .output()
            .expect("Blender starts; without it: apt-get install blender");
        assert!(
            output.status.success() && blendfile.is_file(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// The pixels of a picture, if it is whole.
pub fn pixels(path: &Path) -> Result<(Size, Vec<u8>), String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut reader =
        png::Decoder::new(BufReader::new(file)).read_info().map_err(|error| error.to_string())?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let info = reader.next_frame(&mut pixels).map_err(|error| error.to_string())?;
    // The end of the file as well: a picture that lost its tail is not whole.
    reader.finish().map_err(|error| error.to_string())?;
    Ok(((info.width, info.height), pixels))
}

/// Checks that exactly these frames are in the directory, whole, of the right size, and that no two neighbours look
/// the same.
pub fn check_frames(directory: &Path, count: usize, size: Size) {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".png"))
        .collect();
    names.sort();
    let expected: Vec<_> = (1..=count).map(|number| format!("{number:06}.png")).collect();
    assert_eq!(names, expected);

    let mut before: Option<Vec<u8>> = None;
    for name in names {
        let (found, pixels) =
            pixels(&directory.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, size, "{name}");
        if let Some(before) = before {
            let different = before.iter().zip(&pixels).filter(|(a, b)| a.abs_diff(**b) > 8).count();
            assert!(different * 100 > pixels.len(), "{name} looks like the frame before it");
        }
        before = Some(pixels);
    }
}

/// What `ffprobe` counts and measures in a video: size and number of frames.
pub fn probe(video: &Path) -> (Size, usize) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=width,height,nb_read_frames", "-of", "csv=p=0"])
        .arg(video)
        .output()
        .expect("ffprobe starts; without it: apt-get install ffmpeg");
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<usize> = text.trim().split(',').filter_map(|number| number.parse().ok()).collect();
    let [width, height, frames] = numbers[..] else { panic!("ffprobe printed {text:?}") };
    ((width.try_into().unwrap(), height.try_into().unwrap()), frames)
}

/// The frames in a directory that are completely written.
pub fn whole_frames(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "png") && pixels(path).is_ok()).collect()
}
