//! Bodies that are too large for memory: down into a file, up from one.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::{Frame, Incoming};
use zeroize::Zeroizing;

use crate::outbound::{Answer, RequestBody, collect, whole};

use super::ask::Ask;
use super::error::ClientError;
use super::reply::Reply;
use super::send::{Client, TOO_LATE};

/// Read from the file at once.
const PIECE_BYTES: usize = 64 << 10;
/// The longest answer that is no download.
const SHORT_BYTES_MAX: usize = 1 << 20;

impl Client {
    /// Makes a request whose answer goes to `out`. An answer that is cut short is an error, and so
    /// is a pause longer than the client's timeout; then `out` holds a part.
    pub fn download(&self, ask: &Ask, out: &mut dyn Write) -> Result<(), ClientError> {
        self.show_instead(ask)?;
        let mut full = None;
        let reply = self.follow_with(ask, &mut |address, target| {
            let (out, full) = (&mut *out, &mut full);
            let body = whole(Bytes::new());
            self.perform(address, ask, target, body, async |request| {
                let take = async |answer| self.save(answer, out, full).await;
                self.dialer.exchange_with(address, request, take).await
            })
        });
        // The network is not to blame for a disk.
        match full {
            Some(error) => Err(ClientError::Output(error)),
            None => reply?.accepted().map(drop),
        }
    }

    async fn save(
        &self,
        answer: Response<Incoming>,
        out: &mut dyn Write,
        full: &mut Option<io::Error>,
    ) -> Result<Answer, String> {
        let status = answer.status();
        if !status.is_success() {
            return collect(answer, SHORT_BYTES_MAX).await;
        }
        let mut body = answer.into_body();
        loop {
            let frame = tokio::time::timeout(self.options.timeout, body.frame()).await;
            let Some(frame) = frame.map_err(|_| String::from(TOO_LATE))? else {
                return Ok((status.as_u16(), None, Zeroizing::default()));
            };
            let frame = frame.map_err(|error| format!("the answer was cut short: {error}"))?;
            if let Ok(data) = frame.into_data()
                && let Err(error) = out.write_all(&data)
            {
                *full = Some(error);
                return Err(String::from("the answer has no place"));
            }
        }
    }

    /// Makes a request whose body is the whole of `file`. It may take as long as it takes.
    pub fn upload(&self, ask: &Ask, file: &File) -> Result<Reply, ClientError> {
        self.show_instead(ask)?;
        let reply = self.follow_with(ask, &mut |address, target| {
            let body = pieces(file).map_err(ClientError::File)?;
            self.perform(address, ask, target, body, async |request| {
                let take = async |answer| collect(answer, SHORT_BYTES_MAX).await;
                self.dialer.exchange_with(address, request, take).await
            })
        })?;
        reply.accepted()
    }

    fn show_instead(&self, ask: &Ask) -> Result<(), ClientError> {
        match self.options.preview {
            Some(_) => self.exchange(ask).map(drop),
            None => Ok(()),
        }
    }
}

fn pieces(file: &File) -> io::Result<RequestBody> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    let pieces = stream::unfold(Some(file), async |file| {
        let mut file = file?;
        let mut piece = vec![0; PIECE_BYTES];
        match file.read(&mut piece) {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(Frame::data(piece.into())), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(StreamBody::new(pieces).boxed_unsync())
}
