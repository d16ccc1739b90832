//! The body of a stream, piece by piece.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;

/// The pieces of a body that is made while it is sent. The gateway requests the next piece when
/// the client has taken the former ones: a slow client holds up nothing but its own stream, whose
/// source decides what it misses.
pub struct Chunks(Box<dyn Source + Send>);

/// One poll of a source; `None` is its end.
trait Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

/// A source that one step after the other is made from.
struct Unfold<S, F, N> {
    /// Taken while a step is in progress, and at the end.
    state: Option<S>,
    step: F,
    next: Option<Pin<Box<N>>>,
}

impl<S, F, N> Source for Unfold<S, F, N>
where
    F: FnMut(S) -> N,
    N: Future<Output = Option<(Bytes, S)>>,
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(state) = self.state.take() {
            let future = (self.step)(state);
            match &mut self.next {
                // The place of the former step serves the next one.
                Some(place) => place.set(future),
                empty => *empty = Some(Box::pin(future)),
            }
        } else if self.next.is_none() {
            return Poll::Ready(None);
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        match std::task::ready!(next.as_mut().poll(context)) {
            Some((bytes, state)) => {
                self.state = Some(state);
                Poll::Ready(Some(bytes))
            }
            None => {
                self.next = None;
                Poll::Ready(None)
            }
        }
    }
}

impl Chunks {
    /// Pieces from a state: each step waits for the next piece and gives it with the state after
    /// it, or `None` at the end. Pieces should be at most some kilobytes; empty ones are skipped.
    ///
    /// ```
    /// # use roost_api::live::Chunks;
    /// # let (_, lines) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
    /// let chunks = Chunks::unfold(lines, |mut lines| async {
    ///     Some((lines.recv().await?, lines))
    /// });
    /// ```
    pub fn unfold<S, F, N>(state: S, step: F) -> Self
    where
        S: Send + 'static,
        F: FnMut(S) -> N + Send + 'static,
        N: Future<Output = Option<(Bytes, S)>> + Send + 'static,
    {
        Self(Box::new(Unfold { state: Some(state), step, next: None }))
    }

    /// The next piece that is not empty.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match std::task::ready!(self.0.poll(context)) {
                Some(bytes) if bytes.is_empty() => {}
                other => return Poll::Ready(other),
            }
        }
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").finish_non_exhaustive()
    }
}
