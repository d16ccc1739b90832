//! Names and contents of messages, and their limits.

use bytes::Bytes;
use roost_ident::ServiceGroup;

use crate::{
    dropped::Dropped,
    id::MemberId,
    limits::{GROUP_BYTES_MAX, ID_BYTES_MAX},
};

/// A member id within its limit.
pub(crate) fn member_id(id: Option<String>, field: &'static str) -> Result<MemberId, Dropped> {
    let id = id.ok_or(Dropped::MissingField(field))?;
    checked_text(&id, ID_BYTES_MAX)?;
    Ok(MemberId::new(&id))
}

/// Checks free text that appears in logs and documents.
pub(crate) fn checked_text(text: &str, bytes_max: usize) -> Result<(), Dropped> {
    if text.len() > bytes_max {
        return Err(Dropped::NameTooLong);
    }
    if text.contains(roost_text::is_unprintable) { Err(Dropped::InvalidName) } else { Ok(()) }
}

/// The name of a group within its limit, whatever its form.
pub(crate) fn group_name(group: Option<String>) -> Result<String, Dropped> {
    let group = group.ok_or(Dropped::MissingField("service-group"))?;
    checked_text(&group, GROUP_BYTES_MAX)?;
    Ok(group)
}

/// A valid name of a group; drops a legacy prefix.
pub(crate) fn checked_group(group: Option<String>) -> Result<String, Dropped> {
    let group = group_name(group)?;
    match group.parse::<ServiceGroup>() {
        Ok(group) => Ok(group.into()),
        Err(_) => Err(Dropped::InvalidServiceGroup(group)),
    }
}

/// A copy of the content: a decoded slice would keep the whole message in memory.
pub(crate) fn detached(content: Option<Bytes>) -> Bytes {
    content.map(|content| Bytes::copy_from_slice(&content)).unwrap_or_default()
}
