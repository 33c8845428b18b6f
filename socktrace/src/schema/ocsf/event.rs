//! The attributes every class has.

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::values::{Shown, Untrusted, unix_millis};
use crate::model::{BootTime, Host};

/// Profiles whose attributes are used: `host` brings `device` and `actor`, `container` the container of
/// a process.
const PROFILES: &[&str] = &["container", "host"];

/// `severity_id`.
#[derive(Clone, Copy)]
pub(super) enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
}

/// What all events of one sort have in common.
pub(super) struct Sort {
    pub(super) class_uid: u32,
    pub(super) category_uid: u32,
    /// The native format's `event.dataset`.
    pub(super) dataset: &'static str,
    /// The native format's `event.action`.
    pub(super) action: &'static str,
}

/// `activity_id` and, where the class has no name for it, `activity_name`.
#[derive(Clone, Copy)]
pub(super) struct Activity(pub(super) u32, pub(super) Option<&'static str>);

impl Activity {
    /// An activity the class does not know.
    pub(super) const fn other(name: &'static str) -> Self {
        Self(99, Some(name))
    }
}

/// A whole line. `B` is what only its class has, `U` what stands under `unmapped.socktrace`.
#[derive(Serialize)]
pub(super) struct Event<'a, B, U> {
    class_uid: u32,
    category_uid: u32,
    activity_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity_name: Option<&'static str>,
    type_uid: u32,
    severity_id: u32,
    /// Milliseconds since 1970, as all times here.
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<u64>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Device<'a>>,
    #[serde(flatten)]
    body: B,
    unmapped: Unmapped<U>,
}

#[derive(Serialize)]
struct Metadata {
    version: &'static str,
    product: Product,
    profiles: &'static [&'static str],
    uid: Shown<Uuid>,
    sequence: u64,
    log_name: &'static str,
    event_code: &'static str,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

/// This host; its sort (server, laptop …) is not known.
#[derive(Serialize)]
struct Device<'a> {
    type_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    boot_uid: &'a str,
}

#[derive(Serialize)]
struct Unmapped<U> {
    socktrace: U,
}

/// Where an event happened, when, and its number.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) host: &'a Host,
    pub(super) at: BootTime,
    pub(super) sequence: u64,
}

impl<'a, B: Serialize, U: Serialize> Event<'a, B, U> {
    /// An event with what every one has.
    pub(super) fn new(
        sort: &Sort,
        Activity(activity_id, activity_name): Activity,
        severity: Severity,
        place: Place<'a>,
        ids: &Ids,
        body: B,
        unmapped: U,
    ) -> Self {
        Self {
            class_uid: sort.class_uid,
            category_uid: sort.category_uid,
            activity_id,
            activity_name,
            type_uid: sort.class_uid * 100 + activity_id,
            severity_id: severity as u32,
            time: unix_millis(place.host, place.at),
            start_time: None,
            end_time: None,
            duration: None,
            message: None,
            metadata: Metadata {
                version: "1.8.0",
                product: Product {
                    name: "socktrace",
                    vendor_name: "socktrace",
                    version: env!("CARGO_PKG_VERSION"),
                },
                profiles: PROFILES,
                uid: Shown(ids.event(sort.dataset)),
                sequence: place.sequence,
                log_name: sort.dataset,
                event_code: sort.action,
            },
            device: Device::of(place.host),
            body,
            unmapped: Unmapped {
                socktrace: unmapped,
            },
        }
    }

    /// Appends the line and its newline.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let written = serde_json::to_writer(&mut *out, self);
        // A Vec takes everything, and no map here has keys that are no strings.
        debug_assert!(written.is_ok(), "{written:?}");
        out.push(b'\n');
    }
}

impl<'a> Device<'a> {
    /// `None` where the host has neither a name nor an id, without which a device may not be.
    fn of(host: &'a Host) -> Option<Self> {
        let field = |text: &'a str| (!text.is_empty()).then_some(Untrusted(text.as_bytes()));
        let device = Self {
            type_id: 0,
            hostname: field(&host.name),
            uid: field(&host.id),
            boot_uid: &host.boot_id,
        };
        (device.hostname.is_some() || device.uid.is_some()).then_some(device)
    }
}
