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

/// Checks text that stands for something in logs and documents, and may have any form.
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

/// The name of a group of the right form; a legacy prefix is dropped.
pub(crate) fn checked_group(group: Option<String>) -> Result<String, Dropped> {
    let group = group_name(group)?;
    match group.parse::<ServiceGroup>() {
        Ok(group) => Ok(group.into()),
        Err(_) => Err(Dropped::InvalidServiceGroup(group)),
    }
}

/// Content of its own: what was decoded is a slice that would keep the whole message.
pub(crate) fn detached(content: Option<Bytes>) -> Bytes {
    content.map(|content| Bytes::copy_from_slice(&content)).unwrap_or_default()
}
