//! The moving preview of a job, and its still: made of the thumbnails, as an animated GIF, when somebody asks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flamenco_domain::frame::Thumbnail;
use flamenco_domain::frame_statistics::middle;
use flamenco_domain::ids::JobId;
use flamenco_store::frames;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame as Picture, Rgba, RgbaImage};
use sha2::{Digest, Sha256};

use super::FramePlace;
use super::thumbnail::file_names;
use crate::error::{Error, Result};
use crate::farm::{Farm, logs};

/// Pictures in an animation.
const MOST: usize = 500;
/// Pictures per second when neither the caller nor the job says.
const USUAL_RATE: i64 = 24;
/// Of 1 to 30, how much quality is given up for speed.
const SPEED: i32 = 20;
/// The place of a frame that was never there.
const NOTHING: Rgba<u8> = Rgba([48, 48, 48, 255]);
const CROSS: Rgba<u8> = Rgba([220, 60, 60, 255]);

/// A size of the animation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewSize {
    /// Of small thumbnails.
    Small,
    /// Of large thumbnails, small ones where these are gone.
    Large,
}

/// Where the preview of a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// The frame that stands for the job, with what shows it.
    pub still: Option<(i64, Thumbnail)>,
    /// Whether somebody chose it.
    pub is_chosen: bool,
    /// The path of the animation on this manager.
    pub animation: Option<String>,
    /// The path of the finished video on this manager.
    pub video: Option<String>,
    /// First and last frame of the sequence.
    pub ends: Option<(i64, i64)>,
    /// Every how-manieth frame is shown.
    pub step: i64,
    /// Pictures in the animation.
    pub pictures: i64,
    /// Those of them that stand for a frame without a thumbnail.
    pub missing: i64,
    /// Pictures per second.
    pub rate: i64,
}

impl Farm {
    /// The preview of a job, made if it is not there yet.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Overloaded`] when too many are being made.
    pub async fn preview(&self, id: JobId, size: PreviewSize, rate: Option<i64>) -> Result<Preview> {
        let job = self.job(id).await?;
        let of_job = || {
            let setting = job.settings.get("fps")?;
            setting.as_i64().or_else(|| setting.as_f64().map(|rate| rate.round() as i64))
        };
        let rate = rate.or_else(of_job).unwrap_or(USUAL_RATE).clamp(1, 60);
        let (places, _) = self.frame_places(id, (i64::MIN, i64::MAX), &[], usize::MAX).await?;
        let chosen = frames::poster(self.store.read(), id).await?;
        let (still, is_chosen) = still(&places, chosen);
        let ends = places.first().zip(places.last()).map(|(first, last)| (first.frame, last.frame));
        let video = self.preview_video(id).await?.map(|video| video.url(id));
        let nothing = Preview { video, ends, rate, step: 1, ..Preview::default() };
        if still.is_none() {
            return Ok(nothing);
        }
        let step = places.len().div_ceil(MOST).max(1);
        let shown: Vec<Option<Thumbnail>> = places.iter().step_by(step).map(thumbnail).collect();
        let missing = shown.iter().filter(|thumbnail| thumbnail.is_none()).count();
        let pictures = shown.len();
        let name = self.animation(id, shown, size, rate).await?;
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Ok(Preview {
            still,
            is_chosen,
            animation: Some(format!("{}/{name}", logs::job_url(id.0))),
            step: whole(step),
            pictures: whole(pictures),
            missing: whole(missing),
            ..nothing
        })
    }

    /// Makes the animation of some thumbnails if it is not there, and gives the name of its file.
    async fn animation(
        &self,
        job: JobId,
        shown: Vec<Option<Thumbnail>>,
        size: PreviewSize,
        rate: i64,
    ) -> Result<String> {
        let mut hash = Sha256::new();
        for thumbnail in &shown {
            hash.update(thumbnail.as_ref().map_or("-", |thumbnail| thumbnail.stem.as_str()));
            hash.update([0]);
        }
        hash.update(rate.to_le_bytes());
        let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let kind = if size == PreviewSize::Large { "large" } else { "small" };
        let name = format!("preview-{kind}-{digits}.gif");
        let folder = self.logs.job_directory(job.0);
        let path = folder.join(&name);
        if tokio::fs::try_exists(&path).await.unwrap_or(false) {
            return Ok(name);
        }
        // One at a time: it takes all of a core. Whoever waits may find it made.
        let _place = self.previews.place()?;
        let _turn = self.previews.turn().await?;
        if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            let prefix = format!("preview-{kind}-");
            let made = tokio::task::spawn_blocking(move || {
                write_animation(&folder, &shown, size, rate, &path)?;
                remove_others(&folder, &prefix, &path);
                Ok::<_, Error>(())
            });
            made.await.map_err(|error| Error::Internal(format!("making a preview: {error}")))??;
        }
        Ok(name)
    }

    /// Chooses the frame that stands for a job; none leaves the choice to the manager.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NothingToShow`] when the frame has no thumbnail.
    pub async fn set_poster(&self, id: JobId, frame: Option<i64>) -> Result<()> {
        self.job(id).await?;
        if let Some(number) = frame {
            let (places, _) = self.frame_places(id, (number, number), &[], 1).await?;
            if !places.iter().any(|place| thumbnail(place).is_some()) {
                return Err(Error::NothingToShow(number));
            }
        }
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let job = crate::farm::jobs::lock(tx, id).await?;
                    Ok(frames::set_poster(tx, job.seq, frame).await?)
                })
            })
            .await
    }
}

fn thumbnail(place: &FramePlace) -> Option<Thumbnail> {
    place.newest.as_ref().and_then(|frame| frame.thumbnail.clone())
}

/// The frame that stands for a job: the chosen one while it can be shown, else the middle one that can.
fn still(places: &[FramePlace], chosen: Option<i64>) -> (Option<(i64, Thumbnail)>, bool) {
    let shown: Vec<&FramePlace> = places.iter().filter(|place| thumbnail(place).is_some()).collect();
    let of = |place: &FramePlace| thumbnail(place).map(|thumbnail| (place.frame, thumbnail));
    match shown.iter().find(|place| Some(place.frame) == chosen) {
        Some(place) => (of(place), true),
        None => (middle(&shown).and_then(of), false),
    }
}

/// Writes an animation, one picture after the other, so that only one is in memory. Blocks.
fn write_animation(
    folder: &Path,
    shown: &[Option<Thumbnail>],
    size: PreviewSize,
    rate: i64,
    path: &Path,
) -> Result<()> {
    let failed = |what: &dyn std::fmt::Display| Error::Internal(format!("making a preview: {what}"));
    let open = |thumbnail: &Thumbnail| open(folder, thumbnail, size);
    let Some(first) = shown.iter().flatten().find_map(open) else {
        return Err(failed(&"none of its thumbnails can be read"));
    };
    let (width, height) = (first.width(), first.height());
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("making a preview"))?;
    let mut last: Option<RgbaImage> = None;
    {
        let mut encoder = GifEncoder::new_with_speed(BufWriter::new(temporary.as_file()), SPEED);
        encoder.set_repeat(Repeat::Infinite).map_err(|error| failed(&error))?;
        // The format counts in hundredths of a second, and viewers slow down what is quicker than two of them.
        let delay = ((100 + rate / 2) / rate).max(2);
        let delay = Delay::from_numer_denom_ms(u32::try_from(delay * 10).unwrap_or(20), 1);
        for thumbnail in shown {
            let picture = match thumbnail.as_ref().and_then(open) {
                Some(picture) => {
                    let picture = on_canvas(picture, width, height);
                    last = Some(picture.clone());
                    picture
                }
                None => crossed_out(last.as_ref(), width, height),
            };
            encoder
                .encode_frame(Picture::from_parts(picture, 0, 0, delay))
                .map_err(|error| failed(&error))?;
        }
    }
    temporary.as_file().flush().map_err(Error::io("making a preview"))?;
    let kept = temporary.persist(path).map_err(|error| error.error);
    let _: File = kept.map_err(Error::io(format!("cannot write {}", path.display())))?;
    Ok(())
}

fn open(folder: &Path, thumbnail: &Thumbnail, size: PreviewSize) -> Option<DynamicImage> {
    let [large, small] = file_names(thumbnail);
    let name = if size == PreviewSize::Large && thumbnail.has_large { large } else { small };
    image::open(folder.join(name)).ok()
}

/// A picture on a canvas that all pictures of an animation share, over black.
fn on_canvas(picture: DynamicImage, width: u32, height: u32) -> RgbaImage {
    let picture = match picture.width() == width && picture.height() == height {
        true => picture.into_rgba8(),
        false => picture.resize(width, height, image::imageops::FilterType::Triangle).into_rgba8(),
    };
    let mut canvas = RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255]));
    let (x, y) = ((width - picture.width().min(width)) / 2, (height - picture.height().min(height)) / 2);
    image::imageops::overlay(&mut canvas, &picture, x.into(), y.into());
    canvas
}

/// What stands for a frame that is missing: the one before it, dimmed and crossed out.
fn crossed_out(last: Option<&RgbaImage>, width: u32, height: u32) -> RgbaImage {
    let mut picture = match last {
        Some(last) => {
            let mut dimmed = last.clone();
            for Rgba([red, green, blue, _]) in dimmed.pixels_mut() {
                (*red, *green, *blue) = (*red / 3, *green / 3, *blue / 3);
            }
            dimmed
        }
        None => RgbaImage::from_pixel(width, height, NOTHING),
    };
    for x in 0..width {
        let y = u32::try_from(u64::from(x) * u64::from(height) / u64::from(width)).unwrap_or_default();
        for y in [y, y.saturating_add(1)] {
            for (x, y) in [(x, y), (x, height.saturating_sub(y + 1))] {
                if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                    *pixel = CROSS;
                }
            }
        }
    }
    picture
}

/// Removes older animations of the same kind. Whoever still shows one gets the new address when they ask again.
fn remove_others(folder: &Path, prefix: &str, kept: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let others: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .filter(|path| path != kept)
        .collect();
    for path in others {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove an outdated preview");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_frame_is_the_one_before_dimmed_and_crossed_out() {
        let last = RgbaImage::from_pixel(20, 10, Rgba([90, 60, 30, 255]));
        let shown = crossed_out(Some(&last), 20, 10);
        assert_eq!(shown.get_pixel(10, 0), &Rgba([30, 20, 10, 255]));
        assert_eq!((shown.get_pixel(0, 0), shown.get_pixel(0, 9)), (&CROSS, &CROSS));
        assert_eq!(crossed_out(None, 20, 10).get_pixel(10, 0), &NOTHING);
    }

    #[test]
    fn pictures_of_any_shape_share_a_canvas() {
        for (width, height) in [(20, 10), (40, 10), (5, 10), (1, 1)] {
            let picture = RgbaImage::from_pixel(width, height, Rgba([255; 4]));
            let shown = on_canvas(DynamicImage::ImageRgba8(picture), 20, 10);
            assert_eq!((shown.width(), shown.height()), (20, 10));
            assert_eq!(shown.get_pixel(10, 5), &Rgba([255; 4]), "{width}x{height}");
        }
    }
}
