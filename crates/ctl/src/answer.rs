//! What a client reads: the answers of a Supervisor, from their frames.

use crate::{
    frame::Frame,
    message::{self, Named},
    reply::{Color, Console, Failure, ServiceStatus, StatusError},
};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A piece of console text.
    Console(Console),
    /// Progress of a download.
    Progress {
        /// Total bytes.
        total_bytes: u64,
        /// Bytes so far.
        position_bytes: u64,
    },
    /// State of one service.
    Status(Box<ServiceStatus>),
    /// Default configuration as TOML.
    Config(String),
    /// Done.
    Ok,
    /// Nothing was changed, for this reason.
    Unchanged(String),
    /// A message unknown to this client.
    Other(String),
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is a refusal, or its body is not what its id promises.
    pub fn decode(frame: &Frame) -> Result<Self, AnswerError> {
        Ok(match frame.id.as_str() {
            message::NetOk::ID => {
                let ok: message::NetOk = read(frame)?;
                ok.unchanged.map_or(Self::Ok, Self::Unchanged)
            }
            message::NetErr::ID => return Err(AnswerError::refusal(frame)),
            message::ConsoleLine::ID => {
                let line: message::ConsoleLine = read(frame)?;
                let color = line
                    .color
                    .map(|name| Color::from_name(&name).ok_or(AnswerError::Color(name)))
                    .transpose()?;
                Self::Console(Console { text: line.line, color, bold: line.bold })
            }
            message::NetProgress::ID => {
                let progress: message::NetProgress = read(frame)?;
                Self::Progress { total_bytes: progress.total, position_bytes: progress.position }
            }
            message::ServiceStatus::ID => {
                let status: message::ServiceStatus = read(frame)?;
                Self::Status(Box::new(status.try_into().map_err(AnswerError::Status)?))
            }
            message::ServiceCfg::ID => {
                let config: message::ServiceCfg = read(frame)?;
                Self::Config(config.default.unwrap_or_default())
            }
            other => Self::Other(other.into()),
        })
    }
}

/// Why an answer is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The Supervisor refused.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// The body does not match the message id.
    #[error("answer {id} of the Supervisor cannot be read: {error}")]
    Body {
        /// Message id.
        id: String,
        /// What is wrong.
        error: String,
    },
    /// A service status is not valid.
    #[error("[Err: 7] {0}")]
    Status(StatusError),
    /// A console colour is unknown.
    #[error("unknown colour '{0}' in an answer of the Supervisor")]
    Color(String),
}

impl AnswerError {
    /// The refusal that a frame with a `NetErr` contains.
    #[must_use]
    pub fn refusal(frame: &Frame) -> Self {
        match read::<message::NetErr>(frame) {
            Ok(error) => Self::Refused(Failure { code: error.code, text: error.msg }),
            Err(error) => error,
        }
    }
}

fn read<M: Named>(frame: &Frame) -> Result<M, AnswerError> {
    M::decode(frame.body.clone())
        .map_err(|error| AnswerError::Body { id: frame.id.clone(), error: error.to_string() })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn frame(id: &str, body: Vec<u8>) -> Frame {
        Frame { transaction: None, id: id.into(), body: body.into() }
    }

    fn line(color: &str) -> Frame {
        let line = message::ConsoleLine {
            line: "up".into(),
            color: Some(color.into()),
            ..message::ConsoleLine::default()
        };
        frame(message::ConsoleLine::ID, line.encode_to_vec())
    }

    #[test]
    fn answers_are_read_and_refusals_are_errors() {
        let console = Console { text: "up".into(), color: Some(Color::Green), bold: false };
        assert_eq!(Answer::decode(&line("green")), Ok(Answer::Console(console)));
        assert_eq!(Answer::decode(&line("pink")), Err(AnswerError::Color("pink".into())));
        assert_eq!(Answer::decode(&frame("News", vec![1])), Ok(Answer::Other("News".into())));
        let refusal = message::NetErr { code: 2, msg: "no".into() };
        let refused = Answer::decode(&frame(message::NetErr::ID, refusal.encode_to_vec()));
        assert_eq!(refused.map_err(|error| error.to_string()), Err("[Err: 2] no".into()));
    }

    #[test]
    fn a_body_that_is_not_of_its_id_is_an_error() {
        for id in [message::NetOk::ID, message::NetErr::ID, message::ServiceStatus::ID] {
            let read = Answer::decode(&frame(id, vec![0xFF; 3]));
            assert!(matches!(read, Err(AnswerError::Body { .. })), "{id}: {read:?}");
        }
    }
}
