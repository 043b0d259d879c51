//! Bodies that are too large for memory: down into a file, up from one.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::time::timeout;

use crate::outbound::{Answer, ExchangeError, Opened, RequestBody, whole};

use super::ask::Ask;
use super::error::ClientError;
use super::reply::Reply;
use super::send::Client;

/// Most bytes that are read from the file at once.
const PIECE_BYTES: usize = 64 << 10;
/// The longest answer that is not a download, in bytes.
const SHORT_BYTES_MAX: usize = 1 << 20;

impl Client {
    /// Makes a request whose answer goes to `out`. An answer that is cut short is an error, and so
    /// is a pause longer than the client's timeout; then `out` holds a part.
    pub fn download(&self, ask: &Ask, out: &mut dyn Write) -> Result<(), ClientError> {
        self.show_instead(ask)?;
        let request = self.request(ask, ())?;
        let mut full = None;
        let reply = self.perform(ask, async {
            let limits = self.limits(SHORT_BYTES_MAX);
            let mut body = || -> io::Result<RequestBody> { Ok(whole(Bytes::new())) };
            let opening = self.client.open(&self.address, request, &mut body, &limits);
            let opened = match timeout(self.options.timeout, opening).await {
                Ok(opened) => opened?,
                Err(_) => return Err(self.too_late(ask)),
            };
            self.save(opened, out, &mut full).await
        });
        // A full disk is not an error of the network.
        match full {
            Some(error) => Err(ClientError::Output(error)),
            None => reply?.accepted().map(drop),
        }
    }

    fn too_late(&self, ask: &Ask) -> ExchangeError {
        let url = self.address.url(&ask.target(&self.address.prefix));
        ExchangeError::Late { url }
    }

    async fn save(
        &self,
        mut answer: Opened,
        out: &mut dyn Write,
        full: &mut Option<io::Error>,
    ) -> Result<Answer, ExchangeError> {
        if !answer.status().is_success() {
            return answer.collect(SHORT_BYTES_MAX).await;
        }
        loop {
            let piece = timeout(self.options.timeout, answer.piece()).await;
            let Some(piece) = piece.map_err(|_| answer.late())?? else {
                return Ok(answer.end());
            };
            if let Err(error) = out.write_all(&piece) {
                *full = Some(error);
                return Ok(answer.end());
            }
        }
    }

    /// Makes a request whose body is the whole of `file`, without a limit of time.
    pub fn upload(&self, ask: &Ask, file: &File) -> Result<Reply, ClientError> {
        self.show_instead(ask)?;
        let request = self.request(ask, ())?;
        let reply = self.perform(ask, async {
            let limits = self.limits(SHORT_BYTES_MAX);
            let mut body = || pieces(file);
            let opening = self.client.open(&self.address, request, &mut body, &limits);
            opening.await?.collect(SHORT_BYTES_MAX).await
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
