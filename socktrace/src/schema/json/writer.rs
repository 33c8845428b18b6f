//! Compact JSON, written by the shortest way: for lines of which there may be thousands a second.
//!
//! It writes what `serde_json` does (a test compares them), but fields' names as they are, since they are constants,
//! and strings by eight bytes at a time (`strings`). A [`Written`] is copied.

use std::fmt::{Display, Write as _};

use serde::ser::{
    Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
};
use serde::{Serialize, Serializer};

use super::super::numbers::Digits;
use super::strings::{Short, push_escaped};

/// The name by which [`Written`] is known.
const WRITTEN: &str = "$socktrace::Written";

/// JSON that was written before.
#[derive(Clone, Debug)]
pub(super) struct Written(String);

impl Written {
    /// `value` as JSON.
    pub(super) fn new(value: &impl Serialize) -> Option<Self> {
        let mut out = Vec::new();
        write(&mut out, value).ok()?;
        String::from_utf8(out).ok().map(Self)
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(WRITTEN, &self.0)
    }
}

/// Appends `value` to `out`. It fails where a map has keys that are no strings, or an enumeration has fields.
pub(super) fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Done {
    value.serialize(Writer::to(out))
}

type Error = serde_json::Error;
type Done = Result<(), Error>;

/// Writes one value.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// A string is JSON already.
    written: bool,
}

impl<'a> Writer<'a> {
    fn to(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            written: false,
        }
    }

    fn begin(self, bracket: u8, end: u8) -> Parts<'a> {
        self.out.push(bracket);
        Parts {
            out: self.out,
            end,
            first: true,
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "methods of a Serializer end with it, and they return that"
    )]
    fn raw(self, text: &str) -> Done {
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn number(self, number: u64) -> Done {
        self.raw(Digits::new(number).as_str())
    }

    fn signed(self, number: i64) -> Done {
        if number < 0 {
            self.out.push(b'-');
        }
        self.number(number.unsigned_abs())
    }
}

fn fields<T>() -> Result<T, Error> {
    Err(Error::custom("an enumeration with fields"))
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_bool(self, value: bool) -> Done {
        self.raw(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.signed(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.signed(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.signed(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        self.signed(value)
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.number(value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.number(value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.number(value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        self.number(value)
    }

    fn serialize_f32(self, value: f32) -> Done {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_f64(self, value: f64) -> Done {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        if self.written {
            return self.raw(value);
        }
        self.out.push(b'"');
        push_escaped(self.out, value);
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Done {
        self.raw("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.raw("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.raw("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Done {
        value.serialize(Self {
            written: name == WRITTEN,
            ..self
        })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Done {
        fields()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'[', b']'))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        fields()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        fields()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'{', b'}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.begin(b'{', b'}'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        fields()
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        let mut short = Short::default();
        if write!(short, "{value}").is_ok() {
            return self.serialize_str(short.text());
        }
        self.serialize_str(&value.to_string())
    }
}

/// The parts of a list or an object.
struct Parts<'a> {
    out: &'a mut Vec<u8>,
    end: u8,
    first: bool,
}

impl Parts<'_> {
    fn next(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Done {
        self.next();
        write(self.out, value)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "methods of a Serializer end with it, and they return that"
    )]
    fn done(self) -> Done {
        self.out.push(self.end);
        Ok(())
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.element(value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.element(value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.next();
        let at = self.out.len();
        write(self.out, key)?;
        if self.out.get(at) == Some(&b'"') {
            Ok(())
        } else {
            Err(Error::custom("a key that is no string"))
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.out.push(b':');
        write(self.out, value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.next();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        write(self.out, value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

#[cfg(test)]
mod tests;
