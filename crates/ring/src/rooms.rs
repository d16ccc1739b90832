//! Memory limits of rumors by origin. Strangers can invent any number of rumors in any member's
//! name, so the origin of a rumor counts and not its name: rumors that this Supervisor itself
//! publishes always find room.

use crate::{
    dropped::Dropped,
    limits::{CLIENT_RUMOR_BYTES_MAX, CLIENT_RUMORS_MAX, RUMOR_BYTES_MAX, RUMORS_MAX},
};

/// The origin of a rumor's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From another member, or from a peer pretending to be one.
    Ring,
    /// From a client of this Supervisor.
    Client,
    /// Published by this Supervisor itself.
    Own,
    /// Stored here before the start.
    DataFile,
}

/// A share of the memory for rumors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// For all origins.
    Common,
    /// For rumors of clients of this Supervisor.
    Clients,
    /// For own services and their elections. Unlimited: there are as many as loaded services.
    Own,
}

impl Origin {
    /// The rooms that may be used, in order of preference.
    const fn rooms(self) -> &'static [Room] {
        match self {
            Self::Ring => &[Room::Common],
            Self::Client => &[Room::Clients, Room::Common],
            Self::Own => &[Room::Own],
            Self::DataFile => &[Room::Common, Room::Clients],
        }
    }
}

impl Room {
    const fn limits(self) -> Used {
        match self {
            Self::Common => Used { rumors: RUMORS_MAX, bytes: RUMOR_BYTES_MAX },
            Self::Clients => Used { rumors: CLIENT_RUMORS_MAX, bytes: CLIENT_RUMOR_BYTES_MAX },
            Self::Own => Used { rumors: usize::MAX, bytes: usize::MAX },
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    rumors: usize,
    bytes: usize,
}

/// The size of one rumor, and its room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charge {
    room: Room,
    bytes: usize,
}

/// All rooms.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    common: Used,
    clients: Used,
    own: Used,
}

impl Rooms {
    fn used(&mut self, room: Room) -> &mut Used {
        match room {
            Room::Common => &mut self.common,
            Room::Clients => &mut self.clients,
            Room::Own => &mut self.own,
        }
    }

    /// Makes room for a rumor of this size that replaces `old`.
    ///
    /// # Errors
    /// When there is no room; then `old` keeps its own.
    pub(crate) fn take(
        &mut self,
        old: Option<Charge>,
        origin: Origin,
        bytes: usize,
    ) -> Result<Charge, Dropped> {
        if let Some(old) = old {
            self.give_back(old);
        }
        for room in origin.rooms() {
            let (used, limits) = (self.used(*room), room.limits());
            if used.rumors < limits.rumors && used.bytes.saturating_add(bytes) <= limits.bytes {
                return Ok(self.occupy(Charge { room: *room, bytes }));
            }
        }
        if let Some(old) = old {
            self.occupy(old);
        }
        Err(Dropped::TooManyRumors)
    }

    pub(crate) fn give_back(&mut self, charge: Charge) {
        let used = self.used(charge.room);
        used.rumors -= 1;
        used.bytes -= charge.bytes;
    }

    fn occupy(&mut self, charge: Charge) -> Charge {
        let used = self.used(charge.room);
        used.rumors += 1;
        used.bytes += charge.bytes;
        charge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_charged_to_the_room_of_its_origin() {
        let mut rooms = Rooms::default();
        let own = rooms.take(None, Origin::Own, 100).unwrap();
        let forged = rooms.take(Some(own), Origin::Ring, RUMOR_BYTES_MAX).unwrap();
        assert_eq!((rooms.own.bytes, rooms.common.bytes), (0, RUMOR_BYTES_MAX));
        assert!(rooms.take(None, Origin::Ring, 1).is_err());
        let applied = rooms.take(None, Origin::Client, 7).unwrap();
        assert!(rooms.take(Some(applied), Origin::Ring, 1).is_err());
        assert_eq!(rooms.clients.bytes, 7, "the old charge stays");
        rooms.take(Some(forged), Origin::Own, 100).unwrap();
        assert_eq!((rooms.own.rumors, rooms.common.rumors, rooms.common.bytes), (1, 0, 0));
    }

    #[test]
    fn clients_use_the_common_room_when_theirs_is_full_and_a_data_file_vice_versa() {
        let mut rooms = Rooms::default();
        rooms.take(None, Origin::Client, CLIENT_RUMOR_BYTES_MAX).unwrap();
        let second = rooms.take(None, Origin::Client, 1).unwrap();
        assert_eq!(second.room, Room::Common);
        let mut rooms = Rooms::default();
        rooms.take(None, Origin::DataFile, RUMOR_BYTES_MAX).unwrap();
        let second = rooms.take(None, Origin::DataFile, 1).unwrap();
        assert_eq!(second.room, Room::Clients);
    }
}
