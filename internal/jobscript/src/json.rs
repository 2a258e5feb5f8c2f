//! JavaScript values as JSON.
//!
//! The rules are those of stored settings and command parameters: `undefined` is null, whole numbers have no decimal
//! point, dates are RFC 3339 text, sets are arrays; whatever JSON cannot hold is an error that names its place.

use crate::engine::Stop;
use crate::text::Text;
use rquickjs::{Function, Object, String as JsString, Value};
use serde_json::{Map, Number, Value as Json};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Deeper nesting cannot be read back by JSON parsers, which guard against it with a limit of 128.
const MAX_DEPTH: usize = 100;

/// Items of a list that are reserved at once. Most lists are arguments of a program.
const MAX_RESERVED: usize = 32;

/// Parameters of a command for which there is room from the beginning.
const TYPICAL_KEYS: usize = 7;

/// How many bytes of JSON may still be made. Shared by all conversions of a realm.
///
/// The engine's own memory limit does not see these bytes, and a script can repeat one large text in many tasks.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    left: Rc<Cell<usize>>,
    exhausted: Rc<Cell<bool>>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: Rc::new(Cell::new(bytes)), exhausted: Rc::new(Cell::new(false)) }
    }

    /// Whether a conversion was stopped because of this budget.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    fn take(&self, bytes: usize) -> Result<(), Stop> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.exhausted.set(true);
                Err(Stop::OverBudget)
            }
        }
    }
}

/// The way from the converted value to a part of it: `parameters.args[2]`.
pub(crate) struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Step<'a>,
    depth: usize,
}

enum Step<'a> {
    Root(&'a str),
    Command(&'a str),
    Key(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    /// The value as a whole, by the name that error messages give it.
    pub(crate) fn root(name: &'a str) -> Self {
        Self { parent: None, step: Step::Root(name), depth: 0 }
    }

    /// The parameters that are given to `author.Command()`, by the name of the command.
    pub(crate) fn command(name: &'a str) -> Self {
        Self { parent: None, step: Step::Command(name), depth: 0 }
    }

    fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key), depth: self.depth + 1 }
    }

    fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index), depth: self.depth + 1 }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(formatter, "{parent}")?;
        }
        match self.step {
            Step::Root(name) => formatter.write_str(name),
            Step::Command(name) => write!(formatter, "author.Command(\"{name}\", parameters)"),
            Step::Key(key) => write!(formatter, ".{key}"),
            Step::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}

/// Converts values of one realm.
#[derive(Clone)]
pub(crate) struct Converter<'js> {
    /// Function of the prelude for what only JavaScript can tell about a value.
    simplify: Function<'js>,
    plain_prototype: Object<'js>,
    budget: Budget,
}

/// The objects that contain the value being converted, to notice one that contains itself.
type Ancestors<'js> = Vec<Object<'js>>;

impl<'js> Converter<'js> {
    /// `simplify` is the prelude's function of that name, `plain_prototype` what objects have that are nothing else.
    pub(crate) fn new(simplify: Function<'js>, plain_prototype: Object<'js>, budget: Budget) -> Self {
        Self { simplify, plain_prototype, budget }
    }

    /// Converts any value.
    pub(crate) fn value(&self, value: Value<'js>, trail: &Trail<'_>) -> Result<Json, Stop> {
        self.convert(value, trail, &mut Vec::new())
    }

    /// Converts an object that is not an array.
    pub(crate) fn map(&self, object: Object<'js>, trail: &Trail<'_>) -> Result<Map<String, Json>, Stop> {
        match self.convert(object.into_value(), trail, &mut Vec::new())? {
            Json::Object(map) => Ok(map),
            _ => Err(Stop::Problem(format!("{trail} must be an object"))),
        }
    }

    /// Converts text, also when it contains half of a surrogate pair.
    pub(crate) fn text(&self, text: &JsString<'js>) -> Result<String, Stop> {
        let converted = text.as_value().get::<Text>()?.0;
        self.budget.take(converted.len() + size_of::<Json>())?;
        Ok(converted)
    }

    fn convert(
        &self,
        value: Value<'js>,
        trail: &Trail<'_>,
        ancestors: &mut Ancestors<'js>,
    ) -> Result<Json, Stop> {
        if let Some(text) = value.as_string() {
            return self.text(text).map(Json::String);
        }
        self.budget.take(size_of::<Json>())?;
        if value.is_undefined() || value.is_null() {
            return Ok(Json::Null);
        }
        if let Some(truth) = value.as_bool() {
            return Ok(Json::Bool(truth));
        }
        if let Some(number) = value.as_number() {
            return number_to_json(number)
                .map(Json::Number)
                .ok_or_else(|| cannot_store(trail, &number.to_string()));
        }
        if value.is_function() {
            return Err(cannot_store(trail, "a function"));
        }
        if value.is_big_int() {
            return self.convert(self.simplify.call((value,))?, trail, ancestors);
        }
        match value.into_object() {
            Some(object) => self.container(object, trail, ancestors),
            None => Err(cannot_store(trail, "a symbol")),
        }
    }

    fn container(
        &self,
        object: Object<'js>,
        trail: &Trail<'_>,
        ancestors: &mut Ancestors<'js>,
    ) -> Result<Json, Stop> {
        if trail.depth > MAX_DEPTH {
            return Err(Stop::Problem(format!("{trail} is nested more than {MAX_DEPTH} levels deep")));
        }
        if ancestors.contains(&object) {
            return Err(Stop::Problem(format!("{trail} contains itself; remove the circular reference")));
        }
        ancestors.push(object.clone());
        let converted = self.members(object, trail, ancestors);
        ancestors.pop();
        converted
    }

    fn members(
        &self,
        object: Object<'js>,
        trail: &Trail<'_>,
        ancestors: &mut Ancestors<'js>,
    ) -> Result<Json, Stop> {
        if let Some(array) = object.as_array() {
            // `length` can be anything, so not all of it is reserved.
            let mut items = Vec::with_capacity(array.len().min(MAX_RESERVED));
            for index in 0..array.len() {
                items.push(self.convert(array.get(index)?, &trail.index(index), ancestors)?);
            }
            return Ok(Json::Array(items));
        }
        // A proxy could run code when asked for its prototype, so it takes the slow way.
        let plain = !object.is_proxy() && object.get_prototype().as_ref() == Some(&self.plain_prototype);
        if !plain {
            let simple: Value<'js> = self.simplify.call((object.clone(),))?;
            if simple.is_undefined() {
                return Err(cannot_store(trail, "a Map or a Promise"));
            }
            if simple != *object.as_value() {
                return self.convert(simple, trail, ancestors);
            }
        }
        // Only for the outermost object: of small ones within there may be very many.
        let mut map = Map::with_capacity(if trail.depth == 0 { TYPICAL_KEYS } else { 0 });
        for property in object.props::<JsString<'js>, Value<'js>>() {
            let (key, value) = property?;
            let key = self.text(&key)?;
            let value = self.convert(value, &trail.key(&key), ancestors)?;
            map.insert(key, value);
        }
        Ok(Json::Object(map))
    }
}

/// A number without a decimal point when it is whole. `None` for NaN and the infinities.
pub(crate) fn number_to_json(number: f64) -> Option<Number> {
    // The bounds of i64; both are exact as floating point numbers, and the upper one is already too large.
    const LOW: f64 = -9_223_372_036_854_775_808.0;
    const HIGH: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && (LOW..HIGH).contains(&number) {
        Some(Number::from(number as i64))
    } else {
        Number::from_f64(number)
    }
}

fn cannot_store(trail: &Trail<'_>, what: &str) -> Stop {
    Stop::Problem(format!(
        "{trail} is {what}, which cannot be stored; use text, a number, true, false, a list or an object"
    ))
}

/// The value with the keys of all objects in it in alphabetical order.
pub(crate) fn sorted(value: Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<(String, Json)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_have_no_decimal_point() {
        for (number, text) in [
            (24.0, "24"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (23.976, "23.976"),
            (9007199254740993.0, "9007199254740992"),
            (-9223372036854775808.0, "-9223372036854775808"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(number_to_json(number).unwrap().to_string(), text);
        }
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(number_to_json(number), None);
        }
    }

    #[test]
    fn sorting_goes_all_the_way_down() {
        let value = json!({"b": [{"z": 1, "a": 2}], "a": {"y": null, "x": 0}});
        assert_eq!(sorted(value).to_string(), r#"{"a":{"x":0,"y":null},"b":[{"a":2,"z":1}]}"#);
    }
}
