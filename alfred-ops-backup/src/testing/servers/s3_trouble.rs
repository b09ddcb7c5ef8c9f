//! What happens to a request of the S3 server.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use alfred_ops_core::{EntropyExt as _, SeededEntropy};
use bytes::Bytes;
use futures::Stream;
use s3s::stream::{ByteStream, DynByteStream};
use s3s::{HttpResponse, StdError};

use crate::testing::flip;

/// The most that an answer holds, of which a part is cut or changed.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    /// Nothing but the line protects its answer.
    List,
    Create,
    Write,
    Other,
}

/// What happens to a request, or to its answer.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// It is answered so, instead of being served or after it was.
    Answer { status: u16, code: String, after: bool },
    /// The answer is late.
    Late(Duration),
    /// The connection breaks before the request was served.
    Broken,
    /// The connection breaks in the middle of the answer.
    CutAnswer,
    /// A bit of the answer is inverted, counted from the first and modulo their number.
    FlippedBit(u64),
}

impl Trouble {
    /// Whatever happens on a bad day to a request of this kind.
    pub(super) fn draw(entropy: &SeededEntropy, request: Kind) -> Self {
        let answer = |status, code: &str, after| Self::Answer { status, code: code.to_owned(), after };
        match (entropy.below(8), request) {
            (0, _) => answer(503, "SlowDown", false),
            (1, _) => answer(500, "InternalError", false),
            (2, _) => answer(500, "InternalError", true),
            (3, _) => Self::Broken,
            (4, _) => Self::Late(Duration::from_millis(20 + entropy.below(200))),
            (5, Kind::Read | Kind::List) => Self::CutAnswer,
            (5 | 6, Kind::Create) => answer(409, "ConditionalRequestConflict", false),
            (5, Kind::Write) => answer(404, "NoSuchUpload", false),
            (6 | 7, Kind::Read) => Self::FlippedBit(entropy.next_u64()),
            _ => answer(504, "GatewayTimeout", true),
        }
    }

    /// The answer as it arrives.
    pub(super) async fn spoil(self, mut answer: HttpResponse) -> HttpResponse {
        match self {
            Self::Answer { status, code, .. } => error(status, &code),
            Self::Late(_) | Self::Broken => answer,
            Self::CutAnswer | Self::FlippedBit(_) => {
                let Ok(body) = answer.body_mut().store_all_limited(ANSWER_BYTES_MAX).await else {
                    return answer;
                };
                *answer.body_mut() = match self {
                    Self::FlippedBit(bit) => s3s::Body::from(flip(&body, bit)),
                    _ => s3s::Body::from(Box::pin(Cut(Some(body.slice(..body.len() / 2)))) as DynByteStream),
                };
                answer
            }
        }
    }
}

/// A body that breaks off.
struct Cut(Option<Bytes>);

impl Stream for Cut {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(self.0.take().ok_or_else(|| "cut on purpose".into())))
    }
}

impl ByteStream for Cut {}

/// An answer of S3's that says what is wrong.
pub(super) fn error(status: u16, code: &str) -> HttpResponse {
    let body = format!("<Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    let mut answer = HttpResponse::new(s3s::Body::from(body));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    answer
}
