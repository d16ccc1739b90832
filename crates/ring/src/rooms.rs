//! How much room rumors may take, and whose room it is. Strangers can invent any number of
//! rumors in anybody's name, so it is not the name on a rumor that counts but the way it came:
//! what this Supervisor itself publishes finds room however much others have sent.

use crate::{
    dropped::Dropped,
    limits::{CLIENT_RUMOR_BYTES_MAX, CLIENT_RUMORS_MAX, RUMOR_BYTES_MAX, RUMORS_MAX},
};

/// The way a version of a rumor came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From another member, or from who pretends to be one.
    Ring,
    /// From a client of this Supervisor.
    Client,
    /// This Supervisor publishes it itself.
    Own,
    /// It was stored here before the start.
    DataFile,
}

/// A share of the memory for rumors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Everybody's.
    Common,
    /// For what clients of this Supervisor apply.
    Clients,
    /// For own services and their elections. It has no end of its own: there are as many as
    /// services were loaded here.
    Own,
}

impl Origin {
    /// The rooms that may be used, the first that has space.
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

/// What one rumor takes, and where.
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

    /// Makes room for a rumor of that many bytes that takes the place of `old`.
    ///
    /// # Errors
    /// When there is none; then `old` keeps its own.
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
    fn a_version_is_charged_to_the_room_of_who_brought_it() {
        let mut rooms = Rooms::default();
        let own = rooms.take(None, Origin::Own, 100).unwrap();
        let forged = rooms.take(Some(own), Origin::Ring, RUMOR_BYTES_MAX).unwrap();
        assert_eq!((rooms.own.bytes, rooms.common.bytes), (0, RUMOR_BYTES_MAX));
        assert!(rooms.take(None, Origin::Ring, 1).is_err());
        let applied = rooms.take(None, Origin::Client, 7).unwrap();
        assert!(rooms.take(Some(applied), Origin::Ring, 1).is_err());
        assert_eq!(rooms.clients.bytes, 7, "what was there stays");
        rooms.take(Some(forged), Origin::Own, 100).unwrap();
        assert_eq!((rooms.own.rumors, rooms.common.rumors, rooms.common.bytes), (1, 0, 0));
    }

    #[test]
    fn clients_use_the_common_room_when_theirs_is_full_and_a_data_file_the_other_way_round() {
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
