//! Exchanges with servers, directly and by way of proxies, all of them on this machine and made by
//! the tests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::secret::Secret;

/// A name that only a proxy can resolve.
const FAR: &str = "coffer.invalid";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// Listens on a port and has `serve` take one connection; returns the port, and the result of
/// `serve`.
async fn listen<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let task = crate::task::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        serve(stream).await
    });
    (port, task)
}

/// Reads the head of a request or an answer.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.expect("more of the head"));
    }
    String::from_utf8(text).expect("a text")
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let asked = head(stream).await;
    stream.write_all(ANSWER).await.expect("sent");
    stream.flush().await.expect("sent");
    asked
}

const LIMITS: Limits = Limits {
    time_max: Duration::from_secs(20),
    answer_bytes_max: 1000,
    redirects_max: 0,
};

async fn ask(scheme: &str, proxies: Proxies, tls: TlsOptions) -> Result<u16, String> {
    let address = Address::parse(&format!("{scheme}://{FAR}:8200")).expect("valid");
    let client = Client::new(Options {
        tls: tls.into(),
        proxies,
        ..Options::default()
    });
    send(&client, &address, &LIMITS)
        .await
        .map(|answer| answer.status)
}

async fn send(client: &Client, to: &Address, limits: &Limits) -> Result<Answer, String> {
    let request = Request::get("/v1/a?b=c")
        .header("X-Vault-Token", "s.canary")
        .body(Bytes::new())
        .expect("valid");
    let answer = client.send(to, request, limits).await;
    answer.map_err(|error| match error {
        ExchangeError::Network { reason, .. } => reason,
        other => other.to_string(),
    })
}

fn always(url: &str) -> Proxies {
    Proxies {
        always: Proxy::parse(url).ok(),
        ..Proxies::default()
    }
}

/// Returns a certificate for [`FAR`], as settings of a client that trusts it, and a server that
/// shows it.
fn certificate() -> (TlsOptions, TlsAcceptor) {
    let (pem, certificate, key) = signed();
    let options = TlsOptions {
        ca_cert: Some(Pem::Text(Secret::new(pem))),
        ..TlsOptions::default()
    };
    let config = versions().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], der(&key));
    let config = config.expect("a certificate");
    (options, TlsAcceptor::from(Arc::new(config)))
}

/// Returns the same as [`certificate`], but the server asks for the same certificate.
fn demanding() -> (TlsOptions, TlsAcceptor) {
    let (pem, certificate, key) = signed();
    let text = |text: &str| Some(Pem::Text(Secret::new(text.to_owned())));
    let options = TlsOptions {
        ca_cert: text(&pem),
        client_cert: text(&pem),
        client_key: text(&key.serialize_pem()),
        ..TlsOptions::default()
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let config = versions().with_client_cert_verifier(verifier.build().expect("a verifier"));
    let config = config.with_single_cert(vec![certificate], der(&key));
    let config = config.expect("a certificate");
    (options, TlsAcceptor::from(Arc::new(config)))
}

fn signed() -> (String, CertificateDer<'static>, KeyPair) {
    let params = CertificateParams::new(vec![String::from(FAR)]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed");
    (certificate.pem(), certificate.der().clone(), key)
}

fn der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("a key")
}

fn versions() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
}

#[tokio::test]
async fn plain_http_is_asked_of_the_proxy_itself() {
    let (port, task) = listen(async |mut stream| answer(&mut stream).await).await;
    let proxies = Proxies {
        http: Proxy::parse(&format!("http://a:b%40@127.0.0.1:{port}")).ok(),
        ..Proxies::default()
    };
    assert_eq!(ask("http", proxies, TlsOptions::default()).await, Ok(200));
    let asked = task.await.expect("served").to_lowercase();
    let line = format!("get http://{FAR}:8200/v1/a?b=c http/1.1\r\n");
    assert!(asked.starts_with(&line), "{asked}");
    assert!(asked.contains(&format!("host: {FAR}:8200\r\n")), "{asked}");
    let shown = "proxy-authorization: basic ytpiqa==\r\n";
    assert!(asked.contains(shown), "{asked}");
}

#[tokio::test]
async fn https_goes_through_a_tunnel_that_sees_no_token() {
    let (options, acceptor) = certificate();
    let (port, task) = listen(async move |mut stream| {
        let connect = head(&mut stream).await;
        let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
        stream.write_all(established).await.expect("sent");
        let mut inner = acceptor.accept(stream).await.expect("the client trusts it");
        (connect, answer(&mut inner).await)
    })
    .await;
    let proxies = Proxies {
        https: Proxy::parse(&format!("http://a:b@127.0.0.1:{port}")).ok(),
        ..Proxies::default()
    };
    assert_eq!(ask("https", proxies, options).await, Ok(200));
    let (connect, asked) = task.await.expect("served");
    let line = format!("CONNECT {FAR}:8200 HTTP/1.1\r\n");
    assert!(connect.starts_with(&line), "{connect}");
    let connect = connect.to_lowercase();
    assert!(
        connect.contains("proxy-authorization: basic ytpi\r\n"),
        "{connect}"
    );
    assert!(!connect.contains("canary"), "{connect}");
    // The server gets the request, and none of the proxy's headers.
    assert!(asked.starts_with("GET /v1/a?b=c HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("s.canary"), "{asked}");
    assert!(!asked.to_lowercase().contains("proxy-"), "{asked}");
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_without_its_password() {
    let (port, _task) = listen(async |mut stream| {
        let asked = head(&mut stream).await;
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal).await.expect("sent");
        asked
    })
    .await;
    let proxies = always(&format!("http://user:password@127.0.0.1:{port}"));
    let options = TlsOptions::default();
    let error = ask("https", proxies, options).await.expect_err("refused");
    assert_eq!(
        error,
        "proxyconnect tcp: the proxy answered 407 Proxy Authentication Required"
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = nobody.local_addr().expect("an address").port();
    drop(nobody);
    for scheme in ["http", "socks5"] {
        let proxies = always(&format!("{scheme}://user:password@127.0.0.1:{port}"));
        let error = ask("http", proxies, TlsOptions::default())
            .await
            .expect_err("nobody there");
        let expected = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
        assert_eq!(error, format!("proxyconnect tcp: {expected}"));
    }
}

#[tokio::test]
async fn socks_proxies_connect_with_and_without_a_password() {
    for (user, method) in [("", 0_u8), ("me:pass@", 2)] {
        let (port, task) = listen(async move |mut stream| {
            assert_eq!(take(&mut stream, 3).await, [5, 1, method]);
            stream.write_all(&[5, method]).await.expect("sent");
            if method == 2 {
                assert_eq!(take(&mut stream, 9).await, b"\x01\x02me\x04pass");
                stream.write_all(&[1, 0]).await.expect("sent");
            }
            let length = FAR.len() as u8;
            assert_eq!(take(&mut stream, 5).await, [5, 1, 0, 3, length]);
            let name = take(&mut stream, FAR.len()).await;
            assert_eq!(name, FAR.as_bytes(), "the proxy resolves");
            assert_eq!(take(&mut stream, 2).await, 8200_u16.to_be_bytes());
            stream
                .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                .await
                .expect("sent");
            answer(&mut stream).await
        })
        .await;
        let proxies = always(&format!("socks5://{user}127.0.0.1:{port}"));
        assert_eq!(ask("http", proxies, TlsOptions::default()).await, Ok(200));
        let asked = task.await.expect("served");
        assert!(asked.starts_with("GET /v1/a?b=c HTTP/1.1\r\n"), "{asked}");
    }
}

async fn take(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.expect("as many bytes");
    bytes
}

#[tokio::test]
async fn an_exception_is_asked_without_a_proxy() {
    let (port, _task) = listen(async |mut stream| answer(&mut stream).await).await;
    let proxies = Proxies {
        http: Proxy::parse(&format!("127.0.0.1:{port}")).ok(),
        exceptions: Exceptions::parse(FAR).expect("valid"),
        ..Proxies::default()
    };
    // Only the proxy knows the name.
    let error = ask("http", proxies, TlsOptions::default())
        .await
        .expect_err("no such host");
    assert!(
        error.starts_with(&format!("dial tcp {FAR}:8200: ")),
        "{error}"
    );
}

#[tokio::test]
async fn https_is_never_spoken_in_the_clear() {
    let (port, task) = listen(async |mut stream| {
        let mut sent = vec![0; 4096];
        let length = stream.read(&mut sent).await.expect("read");
        sent.truncate(length);
        sent
    })
    .await;
    let address = Address::parse(&format!("https://127.0.0.1:{port}")).expect("valid");
    let client = Client::new(Options::default());
    assert!(send(&client, &address, &LIMITS).await.is_err());
    let sent = task.await.expect("served");
    assert_eq!(sent.first(), Some(&0x16), "a handshake");
    assert!(!sent.windows(6).any(|piece| piece == b"canary"));
}

/// Serves one answer for each of `answers`, a connection each; returns the requests.
async fn serve(answers: Vec<String>) -> (Address, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let task = crate::task::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a client");
            asked.push(head(&mut stream).await);
            // A client that has enough hangs up before the end.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        asked
    });
    let address = Address::parse(&format!("http://127.0.0.1:{port}")).expect("valid");
    (address, task)
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_for() {
    let client = Client::new(Options::default());
    let (address, _served) = serve(vec![redirect("/v1/b")]).await;
    let answer = send(&client, &address, &LIMITS).await.expect("answered");
    assert_eq!((answer.status, answer.location()), (307, Some("/v1/b")));

    let followed = Limits {
        redirects_max: 1,
        ..LIMITS
    };
    let answers = vec![redirect("/v1/b?c"), redirect("/v1/d")];
    let (address, served) = serve(answers).await;
    let answer = send(&client, &address, &followed).await.expect("answered");
    assert_eq!((answer.status, answer.location()), (307, Some("/v1/d")));
    assert_eq!(answer.url, address.url("/v1/b?c"));
    let asked = served.await.expect("served");
    assert!(
        asked[1].starts_with("GET /v1/b?c HTTP/1.1\r\n"),
        "{}",
        asked[1]
    );
    assert!(asked[1].contains("s.canary"));

    let (far, listening) = serve(vec![]).await;
    let socket = redirect("unix:///run/coffer.sock");
    let (address, _served) = serve(vec![redirect(&far.url("/v1/b")), socket]).await;
    let refused = send(&client, &address, &followed).await.err();
    assert!(refused.is_some(), "nobody answers there");
    let refused = send(&client, &address, &followed).await.err();
    assert!(refused.is_some_and(|why| why.contains("not to be trusted")));
    listening.await.expect("ended");
}

#[tokio::test]
async fn no_answer_is_read_beyond_its_limit() {
    let client = Client::new(Options::default());
    let of = |length: usize| {
        let body = "x".repeat(length);
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let (address, _served) = serve(vec![of(1000), of(1001)]).await;
    let answer = send(&client, &address, &LIMITS).await.expect("answered");
    assert_eq!(answer.body.len(), 1000);
    let refused = send(&client, &address, &LIMITS).await.err();
    assert!(refused.is_some_and(|why| why.starts_with("reading the answer: ")));
}

#[tokio::test]
async fn a_server_that_goes_silent_is_not_waited_for() {
    let client = Client::new(Options::default());
    let head = String::from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    for silent_after in [String::new(), head] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let task = crate::task::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream
                .write_all(silent_after.as_bytes())
                .await
                .expect("sent");
            let mut rest = Vec::new();
            // The client closes the connection instead of leaving it open.
            stream.read_to_end(&mut rest).await.expect("closed");
        });
        let address = Address::parse(&address).expect("valid");
        let limits = Limits {
            time_max: Duration::from_millis(50),
            ..LIMITS
        };
        let late = send(&client, &address, &limits).await.err();
        let told = format!("{}: no answer in time", address.url("/v1/a?b=c"));
        assert_eq!(late, Some(told));
        task.await.expect("served");
    }
}

#[tokio::test]
async fn a_certificate_of_ours_is_shown_to_who_asks_for_one() {
    let (trusts, acceptor) = demanding();
    let (port, task) = listen(async move |stream| {
        let mut stream = acceptor.accept(stream).await.ok()?;
        let shown = stream.get_ref().1.peer_certificates().map(<[_]>::len);
        answer(&mut stream).await;
        shown
    })
    .await;
    let address = Address::parse(&format!("https://127.0.0.1:{port}")).expect("valid");
    let client = Client::new(Options {
        tls: trusts.into(),
        server_name: Some(String::from(FAR)),
        ..Options::default()
    });
    let answer = send(&client, &address, &LIMITS).await.expect("answered");
    assert_eq!(answer.status, 200);
    assert_eq!(task.await.expect("served"), Some(1));
}
