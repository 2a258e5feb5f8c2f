//! Text that comes from JavaScript.

use rquickjs::prelude::This;
use rquickjs::{Coerced, Ctx, FromJs, Function, Object, String as JsString, Value};

/// Any value as text, by the rules of JavaScript.
///
/// JavaScript's text may contain halves of surrogate pairs, which UTF-8 cannot hold: they become `U+FFFD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl<'js> FromJs<'js> for Text {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<Self> {
        let text = Coerced::<JsString<'js>>::from_js(ctx, value)?.0;
        match text.to_string() {
            Err(rquickjs::Error::Utf8(_)) => {
                // Looked up only now, because it is hardly ever needed.
                let class: Object<'js> = ctx.globals().get("String")?;
                let repair: Function<'js> = class.get::<_, Object<'js>>("prototype")?.get("toWellFormed")?;
                repair.call::<_, JsString<'js>>((This(text),))?.to_string().map(Self)
            }
            other => other.map(Self),
        }
    }
}
