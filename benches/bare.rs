//! A server of the same HTTP library on the same runtime that answers every request with the same
//! bytes: what remains of a request when the secrets node is taken away.
//!
//! ```sh
//! tests/bench/run bare                        # beside the whole server, from one client
//! cargo bench --bench bare -- 127.0.0.1:8300 1400     # by hand: address, bytes of the answer
//! ```

use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;

type Body = http_body_util::Full<Bytes>;

async fn answer(body: Bytes) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn serve(address: &str, bytes: usize) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let body = Bytes::from(vec![b'x'; bytes]);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |_: Request<Incoming>| answer(body.clone()));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A client that hangs up is no news.
            drop(connection.await);
        });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds flags of its own.
    let arguments = std::env::args().skip(1);
    let arguments: Vec<String> = arguments.filter(|word| !word.starts_with("--")).collect();
    let [address, bytes] = arguments.as_slice() else {
        println!("bare: give an address and the bytes of an answer; see tests/bench/run bare");
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(serve(address, bytes.parse()?))?)
}
