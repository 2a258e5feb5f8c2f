//! Thumbnails: a picture in two small sizes, JPEG, or WebP where it is transparent, each never larger than its limit in
//! bytes. The limits keep ten thousand frames below 200 MB, whatever is in them.

use std::io::Cursor;

use flamenco_domain::frame::Thumbnail;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, RgbaImage};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The large size: width and height that it fits into in pixels, and the most bytes it takes.
pub const LARGE: Size = Size { width: 600, height: 338, bytes: 14 * 1024 };
/// The small size.
pub const SMALL: Size = Size { width: 200, height: 112, bytes: 4 * 1024 };
/// Tried one after the other until the picture is small enough.
const QUALITIES: [u8; 5] = [82, 70, 55, 40, 25];
/// Bits of a colour that are left out of a transparent picture, whose format loses nothing by itself.
const DROPPED_BITS: [u8; 4] = [0, 2, 3, 4];

/// A size of thumbnails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width that it fits into, in pixels.
    pub width: u32,
    /// Height that it fits into, in pixels.
    pub height: u32,
    /// Most bytes of its file.
    pub bytes: usize,
}

/// A picture in both sizes.
#[derive(Debug)]
pub struct Thumbnails {
    /// `jpg` or `webp`.
    pub extension: &'static str,
    /// The file of the large size.
    pub large: Vec<u8>,
    /// The file of the small size.
    pub small: Vec<u8>,
}

impl Thumbnails {
    /// Scales a picture down to both sizes; it never grows.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be encoded.
    pub fn of(picture: &DynamicImage) -> Result<Self> {
        let large = fitting(picture, LARGE);
        let small = fitting(&large, SMALL);
        // What is decided for the large one holds for both, so that they have one extension.
        let is_transparent =
            large.color().has_alpha() && large.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255);
        let encode = if is_transparent { webp } else { jpeg };
        Ok(Self {
            extension: if is_transparent { "webp" } else { "jpg" },
            large: encode(&large, LARGE)?,
            small: encode(&small, SMALL)?,
        })
    }

    /// Names for the files: `identity` says what they are of, so that no two frames share a file. Another picture has
    /// another name.
    #[must_use]
    pub fn name(&self, identity: &str) -> Thumbnail {
        let mut hash = Sha256::new();
        hash.update(identity.as_bytes());
        hash.update([0]);
        hash.update(&self.large);
        let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Thumbnail { stem: format!("frame-{digits}"), extension: self.extension.to_owned(), has_large: true }
    }
}

/// The names of the files of a thumbnail: the large one, the small one.
#[must_use]
pub fn file_names(thumbnail: &Thumbnail) -> [String; 2] {
    let Thumbnail { stem, extension, .. } = thumbnail;
    [format!("{stem}.{extension}"), format!("{stem}-small.{extension}")]
}

fn fitting(picture: &DynamicImage, size: Size) -> DynamicImage {
    match picture.width() > size.width || picture.height() > size.height {
        true => picture.thumbnail(size.width, size.height),
        false => picture.clone(),
    }
}

fn failed(error: image::ImageError) -> Error {
    Error::Internal(format!("encoding a thumbnail: {error}"))
}

fn jpeg(picture: &DynamicImage, size: Size) -> Result<Vec<u8>> {
    let mut picture = picture.to_rgb8();
    loop {
        for quality in QUALITIES {
            let mut bytes = Vec::with_capacity(size.bytes);
            let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
            picture.write_with_encoder(encoder).map_err(failed)?;
            if bytes.len() <= size.bytes {
                return Ok(bytes);
            }
        }
        // Noise, which no quality makes small.
        picture = DynamicImage::ImageRgb8(picture).thumbnail(size.width / 2, size.height / 2).into_rgb8();
        if picture.width() <= size.width / 4 {
            return Err(Error::Internal("a thumbnail does not become small enough".to_owned()));
        }
    }
}

fn webp(picture: &DynamicImage, size: Size) -> Result<Vec<u8>> {
    let mut picture = picture.to_rgba8();
    loop {
        for bits in DROPPED_BITS {
            let plain = simplified(&picture, bits);
            let mut bytes = Cursor::new(Vec::with_capacity(size.bytes));
            WebPEncoder::new_lossless(&mut bytes)
                .encode(&plain, plain.width(), plain.height(), ExtendedColorType::Rgba8)
                .map_err(failed)?;
            let bytes = bytes.into_inner();
            if bytes.len() <= size.bytes {
                return Ok(bytes);
            }
        }
        let (width, height) = (picture.width() * 2 / 3, picture.height() * 2 / 3);
        if width == 0 || height == 0 {
            return Err(Error::Internal("a thumbnail does not become small enough".to_owned()));
        }
        picture = DynamicImage::ImageRgba8(picture).thumbnail_exact(width, height).into_rgba8();
    }
}

/// A picture with fewer colours: each channel without its lowest `bits`, the middle of what they leave in their place.
/// What is wholly transparent has no colour at all.
fn simplified(picture: &RgbaImage, bits: u8) -> RgbaImage {
    let mask = u8::MAX << bits;
    let middle = (1_u8 << bits) >> 1;
    let mut plain = picture.clone();
    for pixel in plain.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let keep = |channel: u8| (channel & mask) | middle;
        pixel.0 = match alpha {
            0 => [0; 4],
            u8::MAX => [keep(red), keep(green), keep(blue), alpha],
            _ => [keep(red), keep(green), keep(blue), keep(alpha)],
        };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, Rgba};

    /// The same noise every time.
    fn noise(seed: u32) -> impl FnMut() -> u8 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }
    }

    #[test]
    fn both_sizes_fit_and_never_grow() {
        for (from, large, small) in [
            ((1920, 1080), (600, 338), (200, 112)),
            ((1000, 3000), (113, 338), (37, 112)),
            ((300, 100), (300, 100), (200, 67)),
            ((20, 10), (20, 10), (20, 10)),
        ] {
            let picture = DynamicImage::ImageRgb8(RgbImage::from_pixel(from.0, from.1, Rgb([200, 100, 50])));
            let thumbnails = Thumbnails::of(&picture).unwrap();
            for (file, want) in [(&thumbnails.large, large), (&thumbnails.small, small)] {
                let shown = image::load_from_memory(file).unwrap();
                let near = shown.width().abs_diff(want.0) <= 1 && shown.height().abs_diff(want.1) <= 1;
                assert!(near, "{from:?}: {}x{}, not {want:?}", shown.width(), shown.height());
            }
            assert_eq!(thumbnails.extension, "jpg");
        }
    }

    #[test]
    fn even_noise_stays_below_the_limits() {
        let mut random = noise(1);
        let opaque = RgbImage::from_fn(1280, 720, |_, _| Rgb([random(), random(), random()]));
        let glass = RgbaImage::from_fn(1280, 720, |_, _| Rgba([random(), random(), random(), random()]));
        for picture in [DynamicImage::ImageRgb8(opaque), DynamicImage::ImageRgba8(glass)] {
            // Already small, so that scaling does not smooth it.
            for picture in [picture.crop_imm(0, 0, 600, 338), picture] {
                let thumbnails = Thumbnails::of(&picture).unwrap();
                assert!(thumbnails.large.len() <= LARGE.bytes, "{}", thumbnails.large.len());
                assert!(thumbnails.small.len() <= SMALL.bytes, "{}", thumbnails.small.len());
            }
        }
        const { assert!((LARGE.bytes + SMALL.bytes) * 10_000 < 200_000_000) };
    }

    #[test]
    fn transparency_is_kept() {
        let half = RgbaImage::from_fn(400, 200, |x, _| Rgba([200, 100, 50, if x < 200 { 0 } else { 255 }]));
        let thumbnails = Thumbnails::of(&DynamicImage::ImageRgba8(half)).unwrap();
        assert_eq!(thumbnails.extension, "webp");
        let shown = image::load_from_memory(&thumbnails.small).unwrap().into_rgba8();
        assert_eq!((shown.get_pixel(10, 10).0[3], shown.get_pixel(190, 90).0[3]), (0, 255));
        let opaque = RgbaImage::from_pixel(400, 200, Rgba([200, 100, 50, 255]));
        let thumbnails = Thumbnails::of(&DynamicImage::ImageRgba8(opaque)).unwrap();
        assert_eq!(thumbnails.extension, "jpg", "a channel that says nothing");
    }

    #[test]
    fn another_picture_has_another_name() {
        let of = |grey| {
            let picture = DynamicImage::ImageRgb8(RgbImage::from_pixel(20, 10, Rgb([grey; 3])));
            Thumbnails::of(&picture).unwrap()
        };
        assert_eq!(of(1).name("a"), of(1).name("a"));
        assert_ne!(of(1).name("a"), of(200).name("a"));
        assert_ne!(of(1).name("a"), of(1).name("b"), "two frames never share a file");
    }
}
