//! Reads a picture of any format that Blender writes, as far as it can be read, as it looks on a screen.
//!
//! What is in a file decides what it is, not its name. Linear light (OpenEXR) is shown with exposure 0 and the transfer
//! curve of sRGB. A file that would take too much memory is refused before it does.

use std::io::{BufRead, Read, Seek, SeekFrom};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, Rgb, RgbImage, Rgba, RgbaImage};

/// A picture may be this wide or high, in pixels, and take this much memory when decoded, in bytes.
const LARGEST_SIDE: u32 = 32_768;
const LARGEST_DECODED: u64 = 768 * 1024 * 1024;
/// Bytes of a pixel of an EXR while it is read: four 32-bit numbers.
const EXR_PIXEL: u64 = 16;
/// What an EXR begins with.
const EXR_MAGIC: [u8; 4] = [0x76, 0x2f, 0x31, 0x01];

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The operating system says so.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// No format that is known here, or a part of one that is not.
    #[error("this format is not one that can be shown: {0}")]
    Unsupported(String),
    /// It would take more room than a picture may.
    #[error("too large: {0}")]
    TooLarge(String),
    /// It ends too early, or contradicts itself.
    #[error("the file is damaged: {0}")]
    Damaged(String),
}

impl PictureError {
    /// Whether the file itself is wrong, and not only the reader too weak.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }
}

/// Width and height in pixels, from the beginning of the file.
///
/// # Errors
/// When it is no picture that can be read.
pub fn dimensions(mut source: impl BufRead + Seek) -> Result<(u32, u32), PictureError> {
    if is_exr(&mut source)? {
        return Ok(exr_parts(source)?.size);
    }
    reader(source)?.into_dimensions().map_err(sorted)
}

/// The picture, as it looks on a screen. Transparency is kept.
///
/// # Errors
/// When it is no picture that can be read, or a larger one than is taken.
pub fn read(mut source: impl BufRead + Seek) -> Result<DynamicImage, PictureError> {
    if is_exr(&mut source)? {
        return read_exr(source);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_DECODED);
    let mut reader = reader(source)?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(sorted)?;
    // Not every decoder looks at the limits itself.
    limits.reserve(decoder.total_bytes()).map_err(sorted)?;
    decoder.set_limits(limits).map_err(sorted)?;
    DynamicImage::from_decoder(decoder).map_err(sorted)
}

/// By what is in it: the name of a file proves nothing.
fn reader<S: BufRead + Seek>(source: S) -> Result<ImageReader<S>, PictureError> {
    ImageReader::new(source).with_guessed_format().map_err(PictureError::Read)
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
#[must_use]
pub fn over_black(picture: DynamicImage) -> RgbImage {
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

/// Looks at the beginning, and leaves the source there.
fn is_exr(source: &mut (impl Read + Seek)) -> Result<bool, PictureError> {
    let mut start = Vec::with_capacity(EXR_MAGIC.len());
    source.take(EXR_MAGIC.len() as u64).read_to_end(&mut start).map_err(PictureError::Read)?;
    source.seek(SeekFrom::Start(0)).map_err(PictureError::Read)?;
    Ok(start == EXR_MAGIC)
}

/// Where the colours of an EXR are.
struct ExrParts {
    size: (u32, u32),
    channels: [String; 3],
    alpha: String,
}

/// Finds the channels of the first layer that has colours. Blender calls them `R`, or `ViewLayer.Combined.R`.
fn exr_parts(source: impl Read) -> Result<ExrParts, PictureError> {
    let meta = exr::meta::MetaData::read_from_unbuffered(source, false).map_err(exr_sorted)?;
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
                alpha: format!("{prefix}A"),
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

fn read_exr(mut source: impl BufRead + Seek) -> Result<DynamicImage, PictureError> {
    use exr::prelude::{ReadChannels, ReadLayers, ReadSpecificChannel, read};

    let ExrParts { size: (width, height), channels: [red, green, blue], alpha } = exr_parts(&mut source)?;
    source.seek(SeekFrom::Start(0)).map_err(PictureError::Read)?;
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
        .optional(alpha.as_str(), 1.0_f32)
        .collect_pixels(
            move |_, _| RgbaImage::new(width, height),
            |picture, position, (red, green, blue, alpha): (f32, f32, f32, f32)| {
                let place = u32::try_from(position.x()).ok().zip(u32::try_from(position.y()).ok());
                if let Some(pixel) = place.and_then(|(x, y)| picture.get_pixel_mut_checked(x, y)) {
                    *pixel = shown([red, green, blue], alpha);
                }
            },
        )
        .first_valid_layer()
        .all_attributes()
        .non_parallel()
        .from_buffered(source);
    let picture = picture.map_err(exr_sorted)?.layer_data.channel_data.pixels;
    let is_opaque = picture.pixels().all(|Rgba([.., alpha])| *alpha == u8::MAX);
    let picture = DynamicImage::ImageRgba8(picture);
    Ok(if is_opaque { DynamicImage::ImageRgb8(picture.into_rgb8()) } else { picture })
}

/// A pixel on a screen. In the file its colours are what it adds to what is behind it, so they grow by what it covers;
/// one that only adds light (alpha 0, as fire often has) is shown as what it adds.
fn shown(light: [f32; 3], alpha: f32) -> Rgba<u8> {
    let alpha = if alpha.is_nan() { 1.0 } else { alpha.clamp(0.0, 1.0) };
    if alpha == 0.0 && light.iter().any(|light| *light > 0.0) {
        let [red, green, blue] = light.map(tone);
        return Rgba([red, green, blue, u8::MAX]);
    }
    let covered = if alpha > 0.0 { alpha } else { 1.0 };
    let [red, green, blue] = light.map(|light| tone(light / covered));
    Rgba([red, green, blue, (alpha * 255.0).round() as u8])
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
    use std::fs::File;
    use std::io::{BufReader, Cursor};
    use std::path::Path;

    use super::*;

    fn fixture(name: &str) -> BufReader<File> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        BufReader::new(File::open(path).unwrap())
    }

    fn bytes_of(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        fixture(name).read_to_end(&mut bytes).unwrap();
        bytes
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
            assert_eq!(dimensions(fixture(name)).unwrap(), (24, 16), "{name}");
            let picture = read(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((picture.width(), picture.height()), (24, 16), "{name}");
            assert!(over_black(picture).pixels().any(|Rgb(channels)| *channels != [0, 0, 0]), "{name}");
        }
        // All of them show the same grey cube; an EXR is as bright as what Blender itself made for a screen.
        let middle = |name| over_black(read(fixture(name)).unwrap()).get_pixel(12, 8).0.map(i32::from);
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
    fn what_cannot_be_read_is_sorted() {
        let whole = png(64, 64, Rgba([1, 2, 3, 255]));
        let exr = bytes_of("half.exr");
        let tiff = bytes_of("deep.tif");
        for (name, content, damaged) in [
            ("cut.png", &whole[..whole.len() / 2], true),
            ("cut.exr", &exr[..exr.len() - 100], true),
            ("head.exr", &exr[..40], true),
            ("cut.tif", &tiff[..tiff.len() / 2], true),
            ("text.png", &b"this is no picture"[..], false),
            ("empty.png", &b""[..], false),
            ("video.mp4", &b"\0\0\0\x20ftypisom\0\0\x02\0"[..], false),
        ] {
            let error = read(Cursor::new(content)).err().unwrap_or_else(|| panic!("{name} can be read"));
            assert_eq!(error.is_damage(), damaged, "{name}: {error:?}");
        }
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
        assert_eq!(dimensions(Cursor::new(&bomb)).unwrap(), (30_000, 30_000));
        let read = read(Cursor::new(&bomb));
        assert!(matches!(read, Err(PictureError::TooLarge(_))), "{:?}", read.map(|_| ()));
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
    fn an_exr_keeps_its_transparency() {
        for (light, alpha, want) in [
            ([0.18, 0.18, 0.18], 1.0, [118, 118, 118, 255]),
            ([0.09, 0.09, 0.09], 0.5, [118, 118, 118, 128]),
            ([0.0, 0.0, 0.0], 0.0, [0, 0, 0, 0]),
            ([1.0, 0.18, 0.0], 0.0, [255, 118, 0, 255]),
            ([0.18, 0.18, 0.18], f32::NAN, [118, 118, 118, 255]),
        ] {
            assert_eq!(shown(light, alpha).0, want, "{light:?} {alpha}");
        }
        let mut file = Cursor::new(Vec::new());
        let half = image::Rgba32FImage::from_pixel(4, 2, Rgba([0.09, 0.09, 0.09, 0.5]));
        DynamicImage::ImageRgba32F(half).write_to(&mut file, image::ImageFormat::OpenExr).unwrap();
        let picture = read(Cursor::new(file.into_inner())).unwrap();
        assert_eq!(picture.to_rgba8().get_pixel(1, 1).0, [118, 118, 118, 128]);
        assert!(!read(fixture("half.exr")).unwrap().color().has_alpha(), "this one covers everything");
    }

    #[test]
    fn linear_light_on_a_screen() {
        for (linear, shown) in
            [(-1.0, 0), (0.0, 0), (0.001, 3), (0.18, 118), (0.5, 188), (1.0, 255), (9.0, 255), (f32::NAN, 0)]
        {
            assert_eq!(tone(linear), shown, "{linear}");
        }
    }

    #[test]
    fn transparency_is_over_black() {
        let half = RgbaImage::from_pixel(1, 1, Rgba([200, 100, 50, 128]));
        let flat = over_black(DynamicImage::ImageRgba8(half));
        assert_eq!(flat.get_pixel(0, 0), &Rgb([100, 50, 25]));
    }
}
