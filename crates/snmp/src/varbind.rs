//! Variable bindings (RFC 3416 section 3): an object's name and its value, and lists of them.

use std::sync::Arc;

use crate::ber::{
    DecodeError, Reader, Writer, element_length, object_identifier_length, read_object_identifier, tag,
};
use crate::{ObjectIdentifier, Octets, Value};

/// The most variable bindings of one message that are read. A datagram of 65507 bytes holds fewer than 9400 at all.
pub const MAXIMUM_VARBINDS: usize = 8192;

/// The name of an object and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarBind<B = Vec<u8>> {
    /// The instance's name.
    pub name: ObjectIdentifier,
    /// Its value; [`Value::Null`] in requests for reading.
    pub value: Value<B>,
}

impl VarBind {
    /// A name with a value.
    pub fn new(name: ObjectIdentifier, value: impl Into<Value>) -> VarBind {
        VarBind { name, value: value.into() }
    }

    /// A name to be read.
    pub fn unset(name: ObjectIdentifier) -> VarBind {
        VarBind { name, value: Value::Null }
    }
}

impl<B: Octets> VarBind<B> {
    /// The same with octets of its own.
    pub fn into_owned(self) -> VarBind {
        VarBind { name: self.name, value: self.value.into_owned() }
    }

    /// Bytes the variable binding takes in a message.
    pub fn encoded_length(&self) -> usize {
        element_length(element_length(object_identifier_length(&self.name)) + self.value.encoded_length())
    }
}

/// What can stand in a list of variable bindings.
pub(crate) trait Bound {
    /// Writes the name and the value.
    fn write(&self, writer: &mut Writer<'_>);

    /// Whether SNMPv1 has its value (RFC 3584 section 4.2.2).
    fn is_of_v1(&self) -> bool;
}

impl<B: Octets> Bound for VarBind<B> {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.constructed(tag::SEQUENCE, |writer| {
            self.value.write(writer);
            writer.object_identifier(&self.name);
        });
    }

    fn is_of_v1(&self) -> bool {
        self.value.is_of_v1()
    }
}

/// The value of a name that goes back as it came.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// As it is written in the request.
    pub(crate) name: &'a [u8],
    pub(crate) value: Value,
}

impl Bound for Found<'_> {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.constructed(tag::SEQUENCE, |writer| {
            self.value.write(writer);
            writer.octets(tag::OBJECT_IDENTIFIER, self.name);
        });
    }

    fn is_of_v1(&self) -> bool {
        self.value.is_of_v1()
    }
}

/// Bytes that a name to be read takes in a message.
pub(crate) fn unset_length(name: &ObjectIdentifier) -> usize {
    let null = element_length(0);
    element_length(element_length(object_identifier_length(name)) + null)
}

/// Bytes that a variable binding seldom falls short of.
const USUAL_SIZE: usize = 16;

pub(crate) fn read_varbinds<'a>(reader: &mut Reader<'a>) -> Result<Vec<VarBind<&'a [u8]>>, DecodeError> {
    let list = reader.expect(tag::SEQUENCE)?;
    let mut varbinds = Vec::with_capacity(usual_count(list));
    for pair in pairs(list) {
        let (name, value) = pair?;
        push_named(&mut varbinds, name, value)?;
    }
    Ok(varbinds)
}

/// As many variable bindings as a list of this content has, or some more.
pub(crate) fn usual_count(list: &[u8]) -> usize {
    (list.len() / USUAL_SIZE).min(MAXIMUM_VARBINDS)
}

/// Appends a variable binding whose name is read where it is put.
pub(crate) fn push_named<'v, B>(
    varbinds: &'v mut Vec<VarBind<B>>,
    name: &[u8],
    value: Value<B>,
) -> Result<&'v mut VarBind<B>, DecodeError> {
    let varbind = varbinds.push_mut(VarBind { name: ObjectIdentifier::new([]), value });
    read_object_identifier(name, &mut varbind.name)?;
    Ok(varbind)
}

/// The variable bindings in the content of a list, each name as it is written; ends after the first that is broken.
pub(crate) fn pairs(list: &[u8]) -> impl Iterator<Item = Result<(&[u8], Value<&[u8]>), DecodeError>> {
    let mut rest = Reader::new(list);
    let mut read = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        read += 1;
        let pair = if read > MAXIMUM_VARBINDS { Err(DecodeError::TooManyVarBinds) } else { pair(&mut rest) };
        if pair.is_err() {
            rest = Reader::new(&[]);
        }
        Some(pair)
    })
}

fn pair<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], Value<&'a [u8]>), DecodeError> {
    let mut pair = Reader::new(list.expect(tag::SEQUENCE)?);
    let name = pair.expect(tag::OBJECT_IDENTIFIER)?;
    let (tag, content) = pair.element()?;
    Ok((name, Value::read(tag, content)?))
}

/// Names to be read, written once for all requests that ask for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// A list of variable bindings without values.
    pub(crate) written: Arc<[u8]>,
}

impl Question {
    /// A question for these objects.
    pub fn new(names: &[ObjectIdentifier]) -> Self {
        let varbinds: Vec<_> = names.iter().cloned().map(VarBind::unset).collect();
        let mut written = Vec::new();
        let mut writer = Writer::new(&mut written);
        write_varbinds(&varbinds, &mut writer);
        writer.finish();
        Self { written: written.into() }
    }
}

/// The names in a list of variable bindings, each as it is written; those after a broken one are left out.
pub(crate) fn written_names(mut reader: Reader<'_>) -> impl Iterator<Item = &[u8]> {
    let mut list = Reader::new(reader.expect(tag::SEQUENCE).unwrap_or_default());
    std::iter::from_fn(move || {
        let mut pair = Reader::new(list.expect(tag::SEQUENCE).ok()?);
        pair.expect(tag::OBJECT_IDENTIFIER).ok()
    })
}

/// The content of a list of these.
pub(crate) fn listed(varbinds: &[VarBind]) -> Vec<u8> {
    let mut list = Vec::new();
    let mut writer = Writer::new(&mut list);
    write_each(varbinds, &mut writer);
    writer.finish();
    list
}

pub(crate) fn write_varbinds(varbinds: &[impl Bound], writer: &mut Writer<'_>) {
    writer.constructed(tag::SEQUENCE, |writer| write_each(varbinds, writer));
}

fn write_each(varbinds: &[impl Bound], writer: &mut Writer<'_>) {
    varbinds.iter().rev().for_each(|varbind| varbind.write(writer));
}
