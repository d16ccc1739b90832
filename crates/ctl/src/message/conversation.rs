//! The course of a conversation.

use prost::Message;

use super::{Named, message};

message! {
    /// First message of a client.
    Handshake {
        /// The shared secret.
        #[prost(string, optional, tag = "1")]
        secret_key: Option<String>,
    }
}

message! {
    /// Success; ends a conversation.
    NetOk {
        /// Extension of Roost: nothing was changed, for this reason. Habitat skips it.
        #[prost(string, optional, tag = "100")]
        unchanged: Option<String>,
    }
}

message! {
    /// Failure; ends a conversation.
    NetErr {
        /// One of [`crate::reply::ErrorCode`].
        #[prost(int32, required, tag = "1")]
        code: i32,
        /// Text for the user.
        #[prost(string, required, tag = "2")]
        msg: String,
    }
}

message! {
    /// A piece of text for the user's terminal.
    ConsoleLine {
        /// The text, with its newline if it has one.
        #[prost(string, required, tag = "1")]
        line: String,
        /// Name of a colour.
        #[prost(string, optional, tag = "2")]
        color: Option<String>,
        /// Bold or not.
        #[prost(bool, required, tag = "3")]
        bold: bool,
    }
}

message! {
    /// Progress of a download.
    NetProgress {
        /// Total bytes.
        #[prost(uint64, required, tag = "1")]
        total: u64,
        /// Bytes so far.
        #[prost(uint64, required, tag = "2")]
        position: u64,
    }
}
