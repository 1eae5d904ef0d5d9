//! Tables of TOML, read key by key.
//!
//! Deserialising a whole table with serde would end at its first fault. Here each key is read on its own, so that one
//! run of `check` shows every misspelt key, every wrong type and every missing key of every table, each with the
//! line that it is on. What comes out is a spec: the text's own values, typed but not yet judged (`lower/` does that).

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::place::{Place, Placed, Source};
use super::spec;
use super::suggest::{list_of, nearest};

/// A key that a table may have, and what one writes there.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) example: &'static str,
}

/// A table of a known shape. `shape!` implements it.
pub(super) trait Table: Sized {
    /// How the operator writes it: `[cache]`, `[[rule]]`.
    const TITLE: &'static str;
    /// The keys it may have, in the order of the documentation.
    const KEYS: &'static [Key];

    /// Reads what can be read; what cannot is reported.
    fn read(table: &DeTable<'_>, place: &Place, reader: &mut Reader<'_>) -> Self;
}

/// A value of a known type.
pub(super) trait Value: Sized {
    /// The type in words: `a string`.
    const WANTED: &'static str;

    /// Reads the value, or reports why not.
    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self>;
}

/// Declares the spec of a table: a struct whose fields are all optional, each with its place in the text.
/// `required` keys are reported when they are missing; the field is then `None` too, and nothing more need be said.
macro_rules! shape {
    ($(#[$doc:meta])* struct $name:ident $title:literal {
        $($presence:ident $key:literal $field:ident: $type:ty = $example:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[allow(clippy::struct_field_names)] // fields are named as the operator's keys are
        pub(in crate::config) struct $name {
            $(pub(in crate::config) $field: Option<$crate::config::place::Placed<$type>>,)*
        }

        impl $crate::config::table::Table for $name {
            const TITLE: &'static str = $title;
            const KEYS: &'static [$crate::config::table::Key] =
                &[$($crate::config::table::Key { name: $key, example: $example },)*];

            fn read(
                table: &toml::de::DeTable<'_>,
                place: &$crate::config::place::Place,
                reader: &mut $crate::config::table::Reader<'_>,
            ) -> Self {
                let entries = $crate::config::table::Entries::open::<Self>(table, place, reader);
                $(let $field = entries.$presence(
                    &$crate::config::table::Key { name: $key, example: $example },
                    reader,
                );)*
                Self { $($field,)* }
            }
        }
    };
}
pub(super) use shape;

/// Reads the tables of one text and collects what is wrong with them.
pub(super) struct Reader<'r> {
    pub(super) source: &'r Arc<Source>,
    pub(super) faults: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        Place::new(self.source, spanned.span())
    }

    pub(super) fn wrong_type<V>(&mut self, value: &Spanned<DeValue<'_>>, key: &Key) -> Option<V>
    where
        V: Value,
    {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a decimal fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` wants {}, not {found}", key.name, V::WANTED);
        self.faults.push(Diagnostic::error(&self.place(value), message).with_hint(key.usage()));
        None
    }
}

impl Key {
    fn usage(&self) -> String {
        format!("write it as: {}", self.example)
    }
}

/// A table whose unknown keys have been reported, and whose known ones can be read.
pub(super) struct Entries<'t, 'i> {
    table: &'t DeTable<'i>,
    title: &'static str,
    place: Place,
    /// Keys that the unknown ones were probably meant to be; they are not reported again as missing.
    misspelt: Vec<&'static str>,
}

impl<'t, 'i> Entries<'t, 'i> {
    pub(super) fn open<T: Table>(table: &'t DeTable<'i>, place: &Place, reader: &mut Reader<'_>) -> Self {
        let mut misspelt = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if T::KEYS.iter().any(|known| known.name == name) {
                continue;
            }
            let meant = nearest(&name.replace('_', "-"), T::KEYS.iter().map(|known| known.name))
                .filter(|meant| !table.contains_key(*meant));
            misspelt.extend(meant);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => spec::home_of(name, value.get_ref(), T::TITLE).unwrap_or_else(|| {
                    format!(
                        "the keys of {} are {}",
                        T::TITLE,
                        list_of(T::KEYS.iter().map(|known| known.name))
                    )
                }),
            };
            let message = match value.get_ref() {
                DeValue::Table(_) | DeValue::Array(_) if T::TITLE == spec::FILE => {
                    format!("there is no table `{name}`")
                }
                _ => format!("{} has no key `{name}`", T::TITLE),
            };
            reader.faults.push(Diagnostic::error(&reader.place(key), message).with_hint(hint));
        }
        Self { table, title: T::TITLE, place: place.clone(), misspelt }
    }

    /// The value of a key that may be left out.
    pub(super) fn optional<V: Value>(&self, key: &Key, reader: &mut Reader<'_>) -> Option<Placed<V>> {
        let value = self.table.get(key.name)?;
        let place = reader.place(value);
        V::read(value, key, reader).map(|value| Placed { value, place })
    }

    /// The value of a key that must be there.
    pub(super) fn required<V: Value>(&self, key: &Key, reader: &mut Reader<'_>) -> Option<Placed<V>> {
        if !self.table.contains_key(key.name) && !self.misspelt.contains(&key.name) {
            let message = format!("this {} has no `{}`", self.title, key.name);
            reader
                .faults
                .push(Diagnostic::error(&self.place, message).with_hint(format!("add: {}", key.example)));
        }
        self.optional(key, reader)
    }
}

impl Value for String {
    const WANTED: &'static str = "a string in quotes";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => reader.wrong_type(value, key),
        }
    }
}

impl Value for bool {
    const WANTED: &'static str = "true or false, without quotes";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            _ => reader.wrong_type(value, key),
        }
    }
}

impl Value for u64 {
    const WANTED: &'static str = "a whole number, without quotes";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(number) = value.get_ref() else {
            return reader.wrong_type(value, key);
        };
        let read = Self::from_str_radix(number.as_str(), number.radix()).ok();
        if read.is_none() {
            let what = if number.as_str().starts_with('-') { "is negative" } else { "is too large" };
            let message = format!("`{}` {what}", key.name);
            reader.faults.push(Diagnostic::error(&reader.place(value), message).with_hint(key.usage()));
        }
        read
    }
}

/// Strings; a single one may be written without brackets.
pub(super) type Texts = Vec<Placed<String>>;

impl Value for Texts {
    const WANTED: &'static str = "a list of strings";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        let elements = match value.get_ref() {
            DeValue::String(text) => {
                return Some(vec![Placed { value: text.to_string(), place: reader.place(value) }]);
            }
            DeValue::Array(elements) => elements,
            _ => return reader.wrong_type(value, key),
        };
        let read = |element| {
            String::read(element, key, reader).map(|value| Placed { value, place: reader.place(element) })
        };
        Some(elements.iter().filter_map(read).collect())
    }
}

/// One of several tables.
#[derive(Debug)]
pub(super) struct Written<T> {
    pub(super) spec: T,
    pub(super) place: Place,
    pub(super) legible: Legible,
}

/// How much of a table could be read. In one that is partly read, a key that seems to be missing may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Legible {
    Wholly,
    Partly,
}

/// Tables of one kind: `[[rule]]`.
#[derive(Debug)]
pub(super) struct Tables<T>(pub(super) Vec<Written<T>>);

impl<T: Table> Value for Tables<T> {
    const WANTED: &'static str = "a list of tables, each in double brackets";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(elements) = value.get_ref() else {
            return reader.wrong_type(value, key);
        };
        let mut tables = Vec::with_capacity(elements.len());
        for element in elements {
            match element.get_ref() {
                DeValue::Table(table) => {
                    let place = reader.place(element);
                    let before = reader.faults.len();
                    let spec = T::read(table, &place, reader);
                    let legible =
                        if reader.faults.len() == before { Legible::Wholly } else { Legible::Partly };
                    tables.push(Written { spec, place, legible });
                }
                _ => return reader.wrong_type(element, key),
            }
        }
        Some(Self(tables))
    }
}

/// A table of which there is one: `[cache]`, or one in braces within another.
#[derive(Debug)]
pub(super) struct Single<T>(pub(super) T);

impl<T: Table> Value for Single<T> {
    const WANTED: &'static str = "one table";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Self(T::read(table, &reader.place(value), reader))),
            _ => reader.wrong_type(value, key),
        }
    }
}
