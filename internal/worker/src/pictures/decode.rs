//! Reads a picture of any format that Blender writes, as far as it can be read, and makes a small JPEG of it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, Rgb, RgbImage, Rgba};

/// Neither side of what is sent is longer, in pixels.
pub const LONGEST_SIDE: u32 = 1920;
/// The same for a transparent picture, which takes many times the bytes.
const LONGEST_TRANSPARENT: u32 = 960;
const QUALITY: u8 = 85;
/// A picture may be this wide or high, in pixels, and take this much memory when decoded, in bytes.
const LARGEST_SIDE: u32 = 32_768;
const LARGEST_DECODED: u64 = 512 * 1024 * 1024;
/// Bytes of a pixel of an EXR while it is read: four 32-bit numbers.
const EXR_PIXEL: u64 = 16;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    #[error("this format is not one that can be shown: {0}")]
    Unsupported(String),
    #[error("too large: {0}")]
    TooLarge(String),
    #[error("the file is damaged: {0}")]
    Damaged(String),
    #[error("its reader could not cope with it")]
    Panicked,
}

impl PictureError {
    /// Whether the file itself is wrong, and not only the reader too weak.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }
}

/// A picture as it is sent.
#[derive(Debug)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    /// `image/jpeg`, or `image/png` for one that is transparent.
    pub media_type: &'static str,
}

/// A preview.
#[derive(Debug)]
pub struct Scaled {
    pub encoded: Encoded,
    /// Every pixel is black or transparent.
    pub is_black: bool,
}

/// Makes a JPEG of a picture, scaled down if needed, as it looks over black; or a PNG where it is transparent and that
/// is to be kept.
pub fn scaled(path: &Path, keep_transparency: bool) -> Result<Scaled, PictureError> {
    let picture = read(path)?;
    let is_transparent = keep_transparency
        && picture.color().has_alpha()
        && picture.to_rgba8().pixels().any(|Rgba([.., alpha])| *alpha < u8::MAX);
    let (flat, transparent) = match is_transparent {
        true => (over_black(picture.clone()), Some(picture)),
        false => (over_black(picture), None),
    };
    let is_black = flat.pixels().all(|Rgb(channels)| *channels == [0, 0, 0]);
    let encoded = match transparent {
        Some(picture) => png(picture)?,
        None => jpeg(DynamicImage::ImageRgb8(flat))?,
    };
    Ok(Scaled { encoded, is_black })
}

fn fitting(picture: DynamicImage, longest: u32) -> DynamicImage {
    match picture.width().max(picture.height()) > longest {
        true => picture.thumbnail(longest, longest),
        false => picture,
    }
}

fn jpeg(picture: DynamicImage) -> Result<Encoded, PictureError> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    let encoded = fitting(picture, LONGEST_SIDE).write_with_encoder(encoder);
    encoded.map_err(|error| PictureError::Unsupported(error.to_string()))?;
    Ok(Encoded { bytes, media_type: "image/jpeg" })
}

fn png(picture: DynamicImage) -> Result<Encoded, PictureError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgba8(fitting(picture, LONGEST_TRANSPARENT).into_rgba8());
    let encoded = picture.write_to(&mut bytes, image::ImageFormat::Png);
    encoded.map_err(|error| PictureError::Unsupported(error.to_string()))?;
    Ok(Encoded { bytes: bytes.into_inner(), media_type: "image/png" })
}

/// Width and height, from the beginning of the file.
pub fn dimensions(path: &Path) -> Result<(u32, u32), PictureError> {
    if is_exr(path)? {
        let size = exr_parts(path)?.size;
        return Ok(size);
    }
    open(path)?.into_dimensions().map_err(sorted)
}

fn read(path: &Path) -> Result<DynamicImage, PictureError> {
    if is_exr(path)? {
        return read_exr(path).map(DynamicImage::ImageRgb8);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_DECODED);
    let mut reader = open(path)?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(sorted)?;
    // Not every decoder looks at the limits itself.
    limits.reserve(decoder.total_bytes()).map_err(sorted)?;
    decoder.set_limits(limits).map_err(sorted)?;
    DynamicImage::from_decoder(decoder).map_err(sorted)
}

fn open(path: &Path) -> Result<ImageReader<BufReader<File>>, PictureError> {
    // By what is in it: the name of a file proves nothing.
    let file = BufReader::new(File::open(path).map_err(PictureError::Read)?);
    ImageReader::new(file).with_guessed_format().map_err(PictureError::Read)
}

fn sorted(error: ImageError) -> PictureError {
    match error {
        ImageError::Unsupported(error) => PictureError::Unsupported(error.to_string()),
        ImageError::Limits(error) => PictureError::TooLarge(error.to_string()),
        ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            PictureError::Read(error)
        }
        error => PictureError::Damaged(error.to_string()),
    }
}

/// Transparent pixels as they would look over black.
fn over_black(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (to, Rgba([red, green, blue, alpha])) in flat.pixels_mut().zip(picture.pixels()) {
        let blend =
            |channel: u8| u8::try_from(u16::from(channel) * u16::from(*alpha) / 255).unwrap_or(u8::MAX);
        *to = Rgb([blend(*red), blend(*green), blend(*blue)]);
    }
    flat
}

fn is_exr(path: &Path) -> Result<bool, PictureError> {
    let mut start = [0_u8; 4];
    let mut file = File::open(path).map_err(PictureError::Read)?;
    match file.read_exact(&mut start) {
        Ok(()) => Ok(start == [0x76, 0x2f, 0x31, 0x01]),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(PictureError::Read(error)),
    }
}

/// Where the colours of an EXR are.
struct ExrParts {
    size: (u32, u32),
    channels: [String; 3],
}

/// Finds the channels of the first layer that has colours. Blender calls them `R`, or `ViewLayer.Combined.R`.
fn exr_parts(path: &Path) -> Result<ExrParts, PictureError> {
    let meta = exr::meta::MetaData::read_from_file(path, false).map_err(exr_sorted)?;
    for header in &meta.headers {
        let names: Vec<String> =
            header.channels.list.iter().map(|channel| channel.name.to_string()).collect();
        let layer = |name: &&String| {
            let prefix = name.strip_suffix('R')?;
            let is_layer = prefix.is_empty() || prefix.ends_with('.');
            let others = ["G", "B"].map(|colour| format!("{prefix}{colour}"));
            (is_layer && others.iter().all(|other| names.contains(other))).then(|| prefix.to_owned())
        };
        // The whole picture before its parts, such as the light of lamps alone.
        let found = names
            .iter()
            .filter_map(|name| layer(&name))
            .min_by_key(|prefix| (!prefix.is_empty(), !prefix.ends_with("Combined."), prefix.clone()));
        if let Some(prefix) = found {
            let whole = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let size = header.layer_size;
            return Ok(ExrParts {
                size: (whole(size.0), whole(size.1)),
                channels: ["R", "G", "B"].map(|colour| format!("{prefix}{colour}")),
            });
        }
    }
    Err(PictureError::Unsupported("an EXR without colours".to_owned()))
}

fn exr_sorted(error: exr::error::Error) -> PictureError {
    match error {
        exr::error::Error::NotSupported(what) => PictureError::Unsupported(what.to_string()),
        exr::error::Error::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            PictureError::Read(error)
        }
        error => PictureError::Damaged(error.to_string()),
    }
}

fn read_exr(path: &Path) -> Result<RgbImage, PictureError> {
    use exr::prelude::{ReadChannels, ReadLayers, ReadSpecificChannel, read};

    let ExrParts { size: (width, height), channels: [red, green, blue] } = exr_parts(path)?;
    let decoded = u64::from(width) * u64::from(height) * EXR_PIXEL;
    if width > LARGEST_SIDE || height > LARGEST_SIDE || decoded > LARGEST_DECODED {
        return Err(PictureError::TooLarge(format!("{width} x {height} pixels")));
    }
    let picture = read()
        .no_deep_data()
        .largest_resolution_level()
        .specific_channels()
        .required(red.as_str())
        .required(green.as_str())
        .required(blue.as_str())
        .collect_pixels(
            move |_, _| RgbImage::new(width, height),
            |picture, position, (red, green, blue): (f32, f32, f32)| {
                let place = u32::try_from(position.x()).ok().zip(u32::try_from(position.y()).ok());
                if let Some(pixel) = place.and_then(|(x, y)| picture.get_pixel_mut_checked(x, y)) {
                    *pixel = Rgb([red, green, blue].map(tone));
                }
            },
        )
        .first_valid_layer()
        .all_attributes()
        .non_parallel()
        .from_buffered(BufReader::new(File::open(path).map_err(PictureError::Read)?));
    Ok(picture.map_err(exr_sorted)?.layer_data.channel_data.pixels)
}

/// Linear light as it is shown on a screen: exposure 0, the transfer curve of sRGB, what is brighter than white is
/// white.
fn tone(linear: f32) -> u8 {
    let linear = if linear.is_nan() { 0.0 } else { linear.clamp(0.0, 1.0) };
    let shown = if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    // Within 0 to 255 by the lines above.
    (shown * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/runner/fixtures/pictures").join(name)
    }

    fn size_of(jpeg: &[u8]) -> (u32, u32) {
        ImageReader::new(Cursor::new(jpeg)).with_guessed_format().unwrap().into_dimensions().unwrap()
    }

    fn in_folder(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn png(width: u32, height: u32, pixel: Rgba<u8>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = image::RgbaImage::from_pixel(width, height, pixel);
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn everything_that_blender_writes() {
        for name in [
            "multilayer.exr",
            "half.exr",
            "dwaa.exr",
            "dwaa-multilayer.exr",
            "dwab.exr",
            "dwab-float.exr",
            "deep.tif",
            "picture.webp",
            "transparent.png",
        ] {
            let path = fixture(name);
            assert_eq!(dimensions(&path).unwrap(), (24, 16), "{name}");
            let scaled = scaled(&path, false).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(size_of(&scaled.encoded.bytes), (24, 16), "{name}");
            assert!(!scaled.is_black, "{name}");
        }
        // All of them show the same grey cube; an EXR is as bright as what Blender itself made for a screen.
        let middle = |name| over_black(read(&fixture(name)).unwrap()).get_pixel(12, 8).0.map(i32::from);
        let (shown, linear) = (middle("deep.tif"), middle("half.exr"));
        assert!(shown.iter().zip(linear).all(|(a, b)| (a - b).abs() < 60), "{shown:?} {linear:?}");
        // These compressions lose a little.
        for lossy in ["dwaa.exr", "dwab.exr", "dwab-float.exr"] {
            let pixel = middle(lossy);
            assert!(
                pixel.iter().zip(linear).all(|(a, b)| (a - b).abs() < 20),
                "{lossy}: {pixel:?} {linear:?}"
            );
        }
    }

    #[test]
    fn transparency_is_kept_where_it_is_wanted() {
        for (name, keep, want) in [
            ("transparent.png", true, "image/png"),
            ("transparent.png", false, "image/jpeg"),
            ("deep.tif", true, "image/jpeg"),
        ] {
            let encoded = scaled(&fixture(name), keep).unwrap().encoded;
            assert_eq!((encoded.media_type, size_of(&encoded.bytes)), (want, (24, 16)), "{name} {keep}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_sorted() {
        let whole = png(64, 64, Rgba([1, 2, 3, 255]));
        let exr = std::fs::read(fixture("half.exr")).unwrap();
        let tiff = std::fs::read(fixture("deep.tif")).unwrap();
        for (name, content, damaged) in [
            ("cut.png", &whole[..whole.len() / 2], true),
            ("cut.exr", &exr[..exr.len() - 100], true),
            ("head.exr", &exr[..40], true),
            ("cut.tif", &tiff[..tiff.len() / 2], true),
            ("text.png", &b"this is no picture"[..], false),
            ("empty.png", &b""[..], false),
            ("video.mp4", &b"\0\0\0\x20ftypisom\0\0\x02\0"[..], false),
        ] {
            let (_folder, path) = in_folder(name, content);
            let error = scaled(&path, false).err().unwrap_or_else(|| panic!("{name} can be read"));
            assert_eq!(error.is_damage(), damaged, "{name}: {error:?}");
        }
        assert!(matches!(scaled(Path::new("/no/such/picture"), false), Err(PictureError::Read(_))));
    }

    #[test]
    fn a_bomb_is_too_large() {
        // A few bytes that say they are 30,000 pixels wide and high.
        let mut bomb = png(1, 1, Rgba([0; 4]));
        for at in [16, 20] {
            bomb[at..at + 4].copy_from_slice(&30_000_u32.to_be_bytes());
        }
        let checksum = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
        let (_folder, path) = in_folder("bomb.png", &bomb);
        assert_eq!(dimensions(&path).unwrap(), (30_000, 30_000));
        assert!(
            matches!(scaled(&path, false), Err(PictureError::TooLarge(_))),
            "{:?}",
            scaled(&path, false).map(|_| ())
        );
    }

    /// As PNG has it.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
            )
        })
    }

    #[test]
    fn large_pictures_are_scaled_and_keep_their_shape() {
        for (from, want) in
            [((3840, 2160), (1920, 1080)), ((1000, 4000), (480, 1920)), ((1920, 10), (1920, 10))]
        {
            let (_folder, path) = in_folder("large.png", &png(from.0, from.1, Rgba([9, 200, 9, 255])));
            assert_eq!(size_of(&scaled(&path, false).unwrap().encoded.bytes), want, "{from:?}");
        }
    }

    #[test]
    fn black_and_transparent_are_noticed() {
        for (pixel, black) in [
            (Rgba([0, 0, 0, 255]), true),
            (Rgba([255, 255, 255, 0]), true),
            (Rgba([255, 255, 255, 255]), false),
            (Rgba([0, 0, 9, 255]), false),
        ] {
            let (_folder, path) = in_folder("p.png", &png(8, 8, pixel));
            assert_eq!(scaled(&path, false).unwrap().is_black, black, "{pixel:?}");
        }
    }

    #[test]
    fn linear_light_on_a_screen() {
        for (linear, shown) in
            [(-1.0, 0), (0.0, 0), (0.001, 3), (0.18, 118), (0.5, 188), (1.0, 255), (9.0, 255), (f32::NAN, 0)]
        {
            assert_eq!(tone(linear), shown, "{linear}");
        }
    }
}
