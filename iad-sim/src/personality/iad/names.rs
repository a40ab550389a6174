//! The names of all objects, in order, and what stands behind each.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use snmp::ObjectIdentifier;

use crate::device::ConfigurationKind;

/// The root of the IAD-MIB.
pub(super) const IAD_MIB: ObjectIdentifier = ObjectIdentifier::new(IAD_MIB_ARCS);
const IAD_MIB_ARCS: [u32; 8] = [1, 3, 6, 1, 4, 1, 32473, 1];
const SYSTEM: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 1]);
const ENGINE: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 10, 2, 1]);

/// How many buffers a device has at most.
const BUFFERS: u32 = 2;

/// What stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A scalar object.
    Scalar(Scalar),
    /// A column of `iadSoftwareTable`, and the number of the buffer from 0.
    Software(Software, usize),
    /// A column of `iadConfigTable`, the number of the buffer from 0, and the kind.
    Configuration(Configuration, usize, ConfigurationKind),
}

/// The scalar objects, named as in their MIBs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    SysDescr,
    SysObjectId,
    SysUpTime,
    SysContact,
    SysName,
    SysLocation,
    SysServices,
    EngineId,
    EngineBoots,
    EngineTime,
    EngineMaxMessageSize,
    Model,
    Hardware,
    UniqueId,
    Number,
    BootReason,
    CallsInProgress,
    CallAdmission,
    Capabilities,
    FreeSpace,
    Health,
    ConfigSetRevision,
    ServerProtocol,
    ServerAddress,
    ServerPort,
    ServerUser,
    ServerPassword,
    OpId,
    OpCommand,
    OpFileNames,
    OpKinds,
    OpSizes,
    OpDigests,
    OpRevision,
    OpVersion,
    OpTrialTime,
    OpDelay,
    OpDelayPolicy,
    OpSlotDevices,
    OpSlotTime,
    OpState,
    OpProgress,
    OpError,
    OpText,
    OpPort,
    OpFile,
}

/// The columns of `iadSoftwareTable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Software {
    Version,
    State,
    Role,
    Size,
    Sha256,
    Capacity,
    Format,
}

/// The columns of `iadConfigTable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Configuration {
    Revision,
    Format,
    Sha256,
    Size,
}

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// This.
    Instance(Item),
    /// An object, of which there is no such instance.
    Object,
    /// No object.
    Nothing,
}

/// The name of a scalar, without its instance.
pub(super) fn scalar(scalar: Scalar) -> ObjectIdentifier {
    SCALARS.iter().find(|(_, _, other)| *other == scalar).map_or(IAD_MIB, |(group, arcs, _)| group.join(arcs))
}

/// What stands behind a name.
pub(super) fn find(name: &ObjectIdentifier) -> Found {
    let instance = match key(name) {
        Some(key) => ITEMS.get(&key).copied(),
        None => TABLE.get(position(name)).filter(|(other, _)| other == name).map(|(_, item)| *item),
    };
    match instance {
        Some(item) => Found::Instance(item),
        None if object(name).is_some() => Found::Object,
        None => Found::Nothing,
    }
}

/// The object that a name lies in, whether there is such an instance or not.
pub(super) fn object(name: &ObjectIdentifier) -> Option<Item> {
    let object_of = |(instance, item): &(ObjectIdentifier, Item)| {
        let index = match item {
            Item::Scalar(_) | Item::Software(..) => 1,
            Item::Configuration(..) => 2,
        };
        let arcs = instance.arcs();
        let object = arcs.get(..arcs.len().checked_sub(index)?)?;
        name.arcs().starts_with(object).then_some(*item)
    };
    // The instances of an object stand together: where there are some, one is next to where the name would stand.
    let position = position(name);
    let neighbours = TABLE.get(position.saturating_sub(1)..)?;
    neighbours.iter().take(2).find_map(object_of)
}

/// The names that follow this one, in order.
pub(super) fn after(name: &ObjectIdentifier) -> &'static [(ObjectIdentifier, Item)] {
    let following = TABLE.get(position(name)..).unwrap_or_default();
    match following {
        [(first, _), rest @ ..] if first == name => rest,
        _ => following,
    }
}

/// Where the name stands in the table, or would stand.
fn position(name: &ObjectIdentifier) -> usize {
    // Nearly all names are of the IAD-MIB, and one number is compared much faster than a list of them.
    match key(name) {
        Some(wanted) => OWN.0 + OWN.1.partition_point(|key| *key < wanted),
        None => TABLE.partition_point(|(other, _)| other < name),
    }
}

/// A name of the IAD-MIB as one number, in the same order; `None` for other names, and for those too long or with too
/// large arcs for that.
fn key(name: &ObjectIdentifier) -> Option<u64> {
    let rest = name.arcs().strip_prefix(&IAD_MIB_ARCS)?;
    let places = KEY_ARCS.checked_sub(rest.len())?;
    let mut key = 0;
    for &arc in rest {
        let digit = u64::from(arc) + 1;
        if digit >> KEY_BITS != 0 {
            return None;
        }
        key = key << KEY_BITS | digit;
    }
    Some(key << (KEY_BITS * places))
}

/// So many arcs of so many bits have room in a key.
const KEY_ARCS: usize = 7;
const KEY_BITS: usize = 9;

/// What stands behind each name of the IAD-MIB, by its key: most of what a device is asked for is one of these.
static ITEMS: LazyLock<HashMap<u64, Item, FixedState>> =
    LazyLock::new(|| TABLE.iter().filter_map(|(name, item)| Some((key(name)?, *item))).collect());

/// The keys of all names of the IAD-MIB, which stand together in the table, and where the first of them stands.
static OWN: LazyLock<(usize, Vec<u64>)> = LazyLock::new(|| {
    let begin = TABLE.partition_point(|(other, _)| *other < IAD_MIB);
    (begin, TABLE.iter().skip(begin).map_while(|(name, _)| key(name)).collect())
});

static TABLE: LazyLock<Vec<(ObjectIdentifier, Item)>> = LazyLock::new(|| {
    let scalars =
        SCALARS.iter().map(|(group, arcs, scalar)| (group.join(arcs).child(0), Item::Scalar(*scalar)));
    let software = SOFTWARE.iter().flat_map(|(arc, column)| {
        (1..=BUFFERS).zip(0_usize..).map(move |(row, buffer)| {
            (IAD_MIB.join(&[1, 2, 1, 1, *arc, row]), Item::Software(*column, buffer))
        })
    });
    let configuration = CONFIGURATION.iter().flat_map(|(arc, column)| {
        (1..=BUFFERS).zip(0_usize..).flat_map(move |(row, buffer)| {
            ConfigurationKind::ALL.into_iter().map(move |kind| {
                let name = IAD_MIB.join(&[1, 3, 1, 1, *arc, row, kind.number()]);
                (name, Item::Configuration(*column, buffer, kind))
            })
        })
    });
    let mut table: Vec<(ObjectIdentifier, Item)> = scalars.chain(software).chain(configuration).collect();
    table.sort_by(|one, other| one.0.cmp(&other.0));
    table
});

const SOFTWARE: [(u32, Software); 7] = [
    (2, Software::Version),
    (3, Software::State),
    (4, Software::Role),
    (5, Software::Size),
    (6, Software::Sha256),
    (7, Software::Capacity),
    (8, Software::Format),
];

const CONFIGURATION: [(u32, Configuration); 4] = [
    (2, Configuration::Revision),
    (3, Configuration::Format),
    (4, Configuration::Sha256),
    (5, Configuration::Size),
];

static SCALARS: [(ObjectIdentifier, &[u32], Scalar); 46] = [
    (SYSTEM, &[1], Scalar::SysDescr),
    (SYSTEM, &[2], Scalar::SysObjectId),
    (SYSTEM, &[3], Scalar::SysUpTime),
    (SYSTEM, &[4], Scalar::SysContact),
    (SYSTEM, &[5], Scalar::SysName),
    (SYSTEM, &[6], Scalar::SysLocation),
    (SYSTEM, &[7], Scalar::SysServices),
    (ENGINE, &[1], Scalar::EngineId),
    (ENGINE, &[2], Scalar::EngineBoots),
    (ENGINE, &[3], Scalar::EngineTime),
    (ENGINE, &[4], Scalar::EngineMaxMessageSize),
    (IAD_MIB, &[1, 1, 1], Scalar::Model),
    (IAD_MIB, &[1, 1, 2], Scalar::Hardware),
    (IAD_MIB, &[1, 1, 3], Scalar::UniqueId),
    (IAD_MIB, &[1, 1, 4], Scalar::Number),
    (IAD_MIB, &[1, 1, 5], Scalar::BootReason),
    (IAD_MIB, &[1, 1, 6], Scalar::CallsInProgress),
    (IAD_MIB, &[1, 1, 7], Scalar::CallAdmission),
    (IAD_MIB, &[1, 1, 8], Scalar::Capabilities),
    (IAD_MIB, &[1, 1, 9], Scalar::FreeSpace),
    (IAD_MIB, &[1, 1, 10], Scalar::Health),
    (IAD_MIB, &[1, 3, 2], Scalar::ConfigSetRevision),
    (IAD_MIB, &[1, 4, 1], Scalar::ServerProtocol),
    (IAD_MIB, &[1, 4, 2], Scalar::ServerAddress),
    (IAD_MIB, &[1, 4, 3], Scalar::ServerPort),
    (IAD_MIB, &[1, 4, 4], Scalar::ServerUser),
    (IAD_MIB, &[1, 4, 5], Scalar::ServerPassword),
    (IAD_MIB, &[1, 5, 1], Scalar::OpId),
    (IAD_MIB, &[1, 5, 2], Scalar::OpCommand),
    (IAD_MIB, &[1, 5, 3], Scalar::OpFileNames),
    (IAD_MIB, &[1, 5, 4], Scalar::OpKinds),
    (IAD_MIB, &[1, 5, 5], Scalar::OpSizes),
    (IAD_MIB, &[1, 5, 6], Scalar::OpDigests),
    (IAD_MIB, &[1, 5, 7], Scalar::OpRevision),
    (IAD_MIB, &[1, 5, 8], Scalar::OpVersion),
    (IAD_MIB, &[1, 5, 9], Scalar::OpTrialTime),
    (IAD_MIB, &[1, 5, 10], Scalar::OpDelay),
    (IAD_MIB, &[1, 5, 11], Scalar::OpDelayPolicy),
    (IAD_MIB, &[1, 5, 12], Scalar::OpSlotDevices),
    (IAD_MIB, &[1, 5, 13], Scalar::OpSlotTime),
    (IAD_MIB, &[1, 5, 14], Scalar::OpState),
    (IAD_MIB, &[1, 5, 15], Scalar::OpProgress),
    (IAD_MIB, &[1, 5, 16], Scalar::OpError),
    (IAD_MIB, &[1, 5, 17], Scalar::OpText),
    (IAD_MIB, &[1, 5, 18], Scalar::OpPort),
    (IAD_MIB, &[1, 5, 19], Scalar::OpFile),
];
