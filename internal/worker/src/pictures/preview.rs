//! Makes a small JPEG of a picture that was rendered.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use flamenco_pictures::{PictureError, over_black, read};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Rgb, Rgba};

/// Neither side of what is sent is longer, in pixels.
pub const LONGEST_SIDE: u32 = 1920;
/// The same for a transparent picture, which takes many times the bytes.
const LONGEST_TRANSPARENT: u32 = 960;
const QUALITY: u8 = 85;
/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("its reader could not cope with it")]
    Panicked,
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
pub fn scaled(path: &Path, keep_transparency: bool) -> Result<Scaled, PreviewError> {
    let picture = read(open(path)?)?;
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

fn jpeg(picture: DynamicImage) -> Result<Encoded, PreviewError> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    let encoded = fitting(picture, LONGEST_SIDE).write_with_encoder(encoder);
    encoded.map_err(|error| PictureError::Unsupported(error.to_string()))?;
    Ok(Encoded { bytes, media_type: "image/jpeg" })
}

fn png(picture: DynamicImage) -> Result<Encoded, PreviewError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgba8(fitting(picture, LONGEST_TRANSPARENT).into_rgba8());
    let encoded = picture.write_to(&mut bytes, image::ImageFormat::Png);
    encoded.map_err(|error| PictureError::Unsupported(error.to_string()))?;
    Ok(Encoded { bytes: bytes.into_inner(), media_type: "image/png" })
}

/// Width and height, from the beginning of the file.
pub fn dimensions(path: &Path) -> Result<(u32, u32), PictureError> {
    flamenco_pictures::dimensions(open(path)?)
}

fn open(path: &Path) -> Result<BufReader<File>, PictureError> {
    Ok(BufReader::new(File::open(path).map_err(PictureError::Read)?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::ImageReader;

    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pkg/pictures/fixtures").join(name)
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
    fn what_is_not_there_cannot_be_read() {
        let nowhere = Path::new("/no/such/picture");
        assert!(matches!(scaled(nowhere, false), Err(PreviewError::Picture(PictureError::Read(_)))));
        assert!(matches!(dimensions(nowhere), Err(PictureError::Read(_))));
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
}
