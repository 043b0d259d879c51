//! Two nodes, a thief and the bytes between them.

mod bodies;

use super::body::{self, Binding, FRAME_BYTES, Forged};
use super::receiver::{Desk, FromMembers};
use super::sealed::{self, Ends, Head, Refusal, RequestKind, SealedAnswer};
use super::sender::{Sender, WHOLE_BYTES_MAX};
use super::*;
use crate::barrier::MESSAGE_OVERHEAD_BYTES;
use crate::http::forward::{ForwardAnswer, ForwardError, ForwardRequest, Wrap};
use crate::peer::{CallError, Member, Memory, MemoryNode, Network, Protocol, Service};
use crate::store::Inmem;
use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hyper::{HeaderMap, Method, StatusCode};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const TOKEN: &str = "s.canary-of-the-token";
const BODY: &[u8] = b"canary-of-the-body";
const SECRET: &[u8] = b"canary-of-the-answer";
const WITHIN: Duration = Duration::from_secs(10);

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|part| part == needle)
}

fn has_canary(bytes: &[u8]) -> bool {
    [TOKEN.as_bytes(), BODY, SECRET]
        .iter()
        .any(|canary| contains(bytes, canary))
}

fn barrier() -> Arc<Unsealed> {
    Unsealed::for_test(Arc::new(Inmem::new()))
}

fn member(name: &str) -> Member {
    Member {
        name: name.into(),
        address: name.into(),
        public_key: PublicKey(Bytes::copy_from_slice(name.as_bytes())),
    }
}

struct FakeNode {
    barrier: Mutex<Option<Arc<Unsealed>>>,
    requires_proof: AtomicBool,
}

impl Host for FakeNode {
    fn barrier(&self) -> Option<Arc<Unsealed>> {
        self.barrier.lock().unwrap().clone()
    }

    fn requires_proof(&self) -> bool {
        self.requires_proof.load(Ordering::SeqCst)
    }

    fn name_of(&self, key: &PublicKey) -> String {
        format!("{key:?}")
    }
}

fn node(barrier: Option<&Arc<Unsealed>>, requires_proof: bool) -> Arc<FakeNode> {
    Arc::new(FakeNode {
        barrier: Mutex::new(barrier.cloned()),
        requires_proof: AtomicBool::new(requires_proof),
    })
}

/// Executes a request by noting it.
#[derive(Clone, Default)]
struct FakeDesk {
    executed: Arc<Mutex<Vec<ForwardRequest>>>,
}

impl FakeDesk {
    fn times(&self) -> usize {
        self.executed.lock().unwrap().len()
    }

    fn execute(&self, request: ForwardRequest) -> Bytes {
        self.executed.lock().unwrap().push(request);
        answer(StatusCode::OK, SECRET)
    }
}

fn answer(status: StatusCode, body: &'static [u8]) -> Bytes {
    let answer = ForwardAnswer {
        status,
        headers: HeaderMap::new(),
        body: Bytes::from_static(body),
    };
    Bytes::from_owner(answer.encode().unwrap())
}

impl Desk for FakeDesk {
    fn whole<'a>(&'a self, request: Bytes, wrap: Wrap<'a>) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(async move {
            match ForwardRequest::decode(request) {
                Ok(request) => wrap(self.execute(request)),
                Err(_) => wrap(ForwardAnswer::not_active()),
            }
        })
    }

    fn stream<'a>(
        &'a self,
        head: Bytes,
        mut body: Chunks,
        wrap: Wrap<'a>,
    ) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(async move {
            let mut request = ForwardRequest::decode(head).unwrap();
            let mut whole = Vec::new();
            while let Some(piece) = body.next().await {
                let Ok(piece) = piece else {
                    return wrap(answer(StatusCode::BAD_REQUEST, b"unreadable"));
                };
                whole.extend_from_slice(&piece);
            }
            request.body = whole.into();
            wrap(self.execute(request))
        })
    }
}

/// A network that keeps the bytes that go over it.
struct Tap {
    inner: Arc<MemoryNode>,
    sent: Mutex<Vec<Bytes>>,
    got: Mutex<Vec<Bytes>>,
}

impl Tap {
    fn all(&self) -> Vec<u8> {
        let (sent, got) = (self.sent.lock().unwrap(), self.got.lock().unwrap());
        sent.iter().chain(got.iter()).flatten().copied().collect()
    }
}

/// A handle on [`Tap`], for a body on its way.
struct Tapped(Arc<Tap>);

impl Network for Tapped {
    fn call(
        &self,
        to: &Member,
        protocol: Protocol,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        self.0.sent.lock().unwrap().push(request.clone());
        let to = to.clone();
        Box::pin(async move {
            let answer = self.0.inner.call(&to, protocol, request, within).await?;
            self.0.got.lock().unwrap().push(answer.clone());
            Ok(answer)
        })
    }

    fn stream(
        &self,
        to: &Member,
        protocol: Protocol,
        head: Bytes,
        body: Chunks,
        stalled: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let (tap, to) = (Arc::clone(&self.0), to.clone());
        tap.sent.lock().unwrap().push(head.clone());
        let kept = Arc::clone(&tap);
        let body = body.inspect(move |piece| {
            kept.sent
                .lock()
                .unwrap()
                .extend(piece.as_ref().ok().cloned());
        });
        Box::pin(async move {
            let sending = tap
                .inner
                .stream(&to, protocol, head, Box::pin(body), stalled);
            let answer = sending.await?;
            tap.got.lock().unwrap().push(answer.clone());
            Ok(answer)
        })
    }

    fn set_members(&self, members: Vec<Member>) {
        self.0.inner.set_members(members);
    }

    fn serve(&self, protocol: Protocol, service: Weak<dyn Service>) {
        self.0.inner.serve(protocol, service);
    }
}

type Answering = Box<dyn Fn(&[u8]) -> Bytes + Send + Sync>;

/// Answers as the test sets, and keeps the messages that it gets: a member without keys, or an old
/// one.
struct Stub {
    got: Mutex<Vec<u8>>,
    answer: Answering,
}

impl Stub {
    fn serve(
        node: &MemoryNode,
        answer: impl Fn(&[u8]) -> Bytes + Send + Sync + 'static,
    ) -> Arc<Self> {
        let stub = Arc::new(Self {
            got: Mutex::default(),
            answer: Box::new(answer),
        });
        let weak = Arc::downgrade(&stub);
        node.serve(Protocol::Forward, weak as Weak<dyn Service>);
        stub
    }

    fn note(&self, bytes: &[u8]) {
        self.got.lock().unwrap().extend_from_slice(bytes);
    }
}

impl Service for Stub {
    fn call(&self, _from: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>> {
        self.note(&request);
        let answer = (self.answer)(&request);
        Box::pin(async move { Ok(answer) })
    }

    fn stream(
        &self,
        _from: PublicKey,
        head: Bytes,
        mut body: Chunks,
    ) -> BoxFuture<'_, Result<Bytes, String>> {
        self.note(&head);
        Box::pin(async move {
            while let Some(Ok(piece)) = body.next().await {
                self.note(&piece);
            }
            Ok((self.answer)(&head))
        })
    }
}

/// A standby that sends, and an active node.
struct Two {
    hub: Arc<Memory>,
    standby: Arc<FakeNode>,
    active: Arc<FakeNode>,
    sender: Sender,
    tap: Arc<Tap>,
    active_net: Arc<MemoryNode>,
    desk: FakeDesk,
    _serving: Arc<FromMembers>,
    to: Member,
}

impl Two {
    fn new(requires_proof: bool) -> Self {
        let keys = barrier();
        let hub = Memory::new(1);
        let members = ["standby", "active", "thief"].map(member);
        let [from, to, _] = &members;
        let nets = [from, to].map(|member| {
            let net = hub.node(member.public_key.clone());
            net.set_members(members.to_vec());
            net
        });
        let [standby_net, active_net] = nets;
        let tap = Arc::new(Tap {
            inner: standby_net,
            sent: Mutex::default(),
            got: Mutex::default(),
        });
        let standby = node(Some(&keys), requires_proof);
        let active = node(Some(&keys), requires_proof);
        let network = Arc::new(Tapped(Arc::clone(&tap)));
        let sender = Sender::new(Arc::clone(&standby) as _, network, from.public_key.clone());
        let desk = FakeDesk::default();
        let serving = serve(&active_net, &active, &desk, to);
        Self {
            hub,
            standby,
            active,
            sender,
            tap,
            active_net,
            desk,
            _serving: serving,
            to: to.clone(),
        }
    }

    /// Replaces the active node's process.
    fn restart_active(&mut self) {
        self._serving = serve(&self.active_net, &self.active, &self.desk, &self.to);
    }

    async fn send(&self, request: &ForwardRequest) -> Result<ForwardAnswer, ForwardError> {
        self.sender.send(&self.to, request, WITHIN).await
    }

    /// Sends bytes as the standby would.
    async fn send_bytes(&self, message: Bytes) -> Bytes {
        let call = self
            .tap
            .inner
            .call(&self.to, Protocol::Forward, message, WITHIN);
        call.await.unwrap()
    }

    fn thief(
        &self,
        answer: impl Fn(&[u8]) -> Bytes + Send + Sync + 'static,
    ) -> (Member, Arc<Stub>, Arc<MemoryNode>) {
        let thief = member("thief");
        let net = self.hub.node(thief.public_key.clone());
        net.set_members(["standby", "active", "thief"].map(member).to_vec());
        let stub = Stub::serve(&net, answer);
        (thief, stub, net)
    }
}

fn serve(net: &MemoryNode, node: &Arc<FakeNode>, desk: &FakeDesk, me: &Member) -> Arc<FromMembers> {
    let (node, me) = (Arc::clone(node) as _, me.public_key.clone());
    FromMembers::serve(net, node, desk.clone(), me)
}

fn request(body: Bytes) -> ForwardRequest {
    let mut headers = HeaderMap::new();
    headers.insert("x-vault-token", TOKEN.parse().unwrap());
    ForwardRequest {
        method: Method::PUT,
        target: "/v1/secret/a".into(),
        headers,
        body,
        address: None,
        certificates: Arc::default(),
    }
}

fn small() -> ForwardRequest {
    request(Bytes::from_static(BODY))
}

fn large() -> ForwardRequest {
    let mut body = BODY.repeat(2 * WHOLE_BYTES_MAX / BODY.len());
    body.push(1);
    request(body.into())
}

fn is_not_executed(answer: &Result<ForwardAnswer, ForwardError>) -> bool {
    matches!(answer, Err(ForwardError::NotExecuted(_)))
}

#[tokio::test(start_paused = true)]
async fn requests_and_answers_arrive_as_they_were_and_nothing_of_them_is_seen_on_the_way() {
    let two = Two::new(true);
    for (at, sent) in [small(), large(), small()].into_iter().enumerate() {
        let answer = two.send(&sent).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, SECRET));
        let executed = two.desk.executed.lock().unwrap();
        let got = executed.get(at).unwrap();
        assert_eq!(got.body, sent.body);
        assert_eq!(got.headers.get("x-vault-token").unwrap(), TOKEN);
    }
    assert!(two.tap.all().len() > 2 * WHOLE_BYTES_MAX);
    assert!(!has_canary(&two.tap.all()));
}

#[tokio::test(start_paused = true)]
async fn a_member_without_keys_that_is_taken_for_the_leader_gets_no_byte() {
    type Reply = fn(&[u8]) -> Bytes;
    let replies: [Reply; 8] = [
        |_| ForwardAnswer::not_active(),
        |_| answer(StatusCode::OK, b"made up"),
        |_| sealed::refuse(Refusal::Sealed),
        |_| sealed::refuse(Refusal::UnknownChannel),
        |_| Bytes::from_static(&[2, 0]),
        |_| Bytes::from([&[2, 0][..], &[7; 80]].concat()),
        |asked| Bytes::copy_from_slice(asked),
        |asked| Bytes::from([&[2, 0][..], &asked[26..]].concat()),
    ];
    for (at, reply) in replies.into_iter().enumerate() {
        let two = Two::new(true);
        let (thief, stub, _net) = two.thief(reply);
        for sent in [small(), large()] {
            let answer = two.sender.send(&thief, &sent, WITHIN).await;
            assert!(is_not_executed(&answer), "reply {at}: {answer:?}");
        }
        assert!(!stub.got.lock().unwrap().is_empty());
        assert!(!has_canary(&stub.got.lock().unwrap()), "reply {at}");
        // With the keys the same request is answered.
        assert!(two.send(&small()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sealed_for_another_is_worth_nothing_to_a_thief() {
    let two = Two::new(true);
    two.send(&small()).await.unwrap();
    let seen = two.tap.sent.lock().unwrap().clone();
    let (_, _stub, thief) = two.thief(|_| Bytes::new());
    for message in seen {
        let sent = thief.call(&two.to, Protocol::Forward, message, WITHIN);
        let answer = sent.await.unwrap();
        assert_eq!(answer, sealed::refuse(Refusal::DoesNotOpen));
    }
    assert_eq!(two.desk.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_is_not_executed_again() {
    let mut two = Two::new(true);
    two.send(&small()).await.unwrap();
    let message = two.tap.sent.lock().unwrap().last().unwrap().clone();
    let again = two.send_bytes(message.clone()).await;
    assert_eq!(again, sealed::refuse(Refusal::Repeated));
    two.send(&small()).await.unwrap();
    two.restart_active();
    let again = two.send_bytes(message.clone()).await;
    assert_eq!(again, sealed::refuse(Refusal::UnknownChannel));
    assert_eq!(two.desk.times(), 2);
    // The sender asks for another channel by itself.
    let first = two.send(&small()).await;
    assert!(is_not_executed(&first), "{first:?}");
    two.send(&small()).await.unwrap();
    let again = two.send_bytes(message).await;
    assert_eq!(again, sealed::refuse(Refusal::UnknownChannel));
    assert_eq!(two.desk.times(), 3);
}

#[tokio::test(start_paused = true)]
async fn altered_messages_are_refused_and_counted_and_nothing_is_executed() {
    let two = Two::new(true);
    two.send(&small()).await.unwrap();
    let counted = refusals::counted();
    let before = counted.value();
    let message = two.tap.sent.lock().unwrap().last().unwrap().clone();
    for at in 1..message.len() {
        let mut altered = message.to_vec();
        altered[at] ^= 1;
        let answer = two.send_bytes(altered.into()).await;
        assert_eq!(answer, sealed::refuse(Refusal::DoesNotOpen), "{at}");
    }
    assert_eq!(two.desk.times(), 1);
    assert!(counted.value() >= before + message.len() as u64 - 1);
}

#[tokio::test(start_paused = true)]
async fn a_sealed_node_opens_nothing_and_sends_nothing() {
    let two = Two::new(true);
    two.send(&small()).await.unwrap();
    let keys = two.active.barrier.lock().unwrap().take().unwrap();
    let refused = two.send(&small()).await;
    assert!(is_not_executed(&refused), "{refused:?}");
    assert_eq!(two.desk.times(), 1);
    *two.active.barrier.lock().unwrap() = Some(keys);
    two.send(&small()).await.unwrap();
    *two.standby.barrier.lock().unwrap() = None;
    let before = two.tap.all().len();
    let refused = two.send(&small()).await;
    assert!(is_not_executed(&refused), "{refused:?}");
    assert_eq!(two.tap.all().len(), before);
}

#[tokio::test(start_paused = true)]
async fn other_keys_open_nothing() {
    let two = Two::new(true);
    *two.active.barrier.lock().unwrap() = Some(barrier());
    let refused = two.send(&small()).await;
    assert!(is_not_executed(&refused), "{refused:?}");
    assert_eq!(two.desk.times(), 0);
}

/// Answers as the release before does: it reads version 1, and calls everything else "not active".
fn older(desk: FakeDesk) -> impl Fn(&[u8]) -> Bytes {
    move |message| match ForwardRequest::decode(Bytes::copy_from_slice(message)) {
        Ok(request) => desk.execute(request),
        Err(_) => ForwardAnswer::not_active(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_release_before_is_sent_to_and_served_until_proof_is_required() {
    let two = Two::new(false);
    // To an older node.
    let old_desk = FakeDesk::default();
    let (old, stub, _net) = two.thief(older(old_desk.clone()));
    two.sender.send(&old, &small(), WITHIN).await.unwrap();
    assert_eq!(old_desk.times(), 1);
    assert!(
        has_canary(&stub.got.lock().unwrap()),
        "in clear, as it must be"
    );
    // From an older node.
    let plain = small().whole().unwrap();
    let answer = two.send_bytes(plain.clone()).await;
    assert!(ForwardAnswer::decode(answer).unwrap().is_some());
    assert_eq!(two.desk.times(), 1);
    // Between newer ones nothing is in clear even so.
    two.send(&small()).await.unwrap();
    assert_eq!(two.desk.times(), 2);
    assert!(!has_canary(two.tap.sent.lock().unwrap().last().unwrap()));
    // And then it is required, in the middle of it all.
    two.sender.send(&old, &small(), WITHIN).await.unwrap();
    stub.got.lock().unwrap().clear();
    two.standby.requires_proof.store(true, Ordering::SeqCst);
    two.active.requires_proof.store(true, Ordering::SeqCst);
    for sent in [small(), large()] {
        let refused = two.sender.send(&old, &sent, WITHIN).await;
        let Err(ForwardError::NotExecuted(why)) = &refused else {
            panic!("{refused:?}");
        };
        assert!(why.contains("upgrade it"), "{why}");
    }
    assert!(!has_canary(&stub.got.lock().unwrap()));
    let counted = refusals::counted();
    let before = counted.value();
    let answer = two.send_bytes(plain).await;
    assert!(ForwardAnswer::decode(answer).unwrap().is_none());
    assert_eq!(two.desk.times(), 2);
    assert!(counted.value() > before);
    two.send(&small()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_at_once_ask_for_one_channel() {
    let two = Arc::new(Two::new(true));
    let sending = (0..64).map(|_| {
        let two = Arc::clone(&two);
        tokio::spawn(async move { two.send(&small()).await.is_ok() })
    });
    let sending: Vec<_> = sending.collect();
    for sent in sending {
        assert!(sent.await.unwrap());
    }
    let opened = two
        .tap
        .sent
        .lock()
        .unwrap()
        .iter()
        .filter(|message| message[1] == 0)
        .count();
    assert_eq!((opened, two.desk.times()), (1, 64));
}

// === The form ===

fn ends() -> Ends {
    Ends {
        asks: member("standby").public_key,
        answers: member("active").public_key,
    }
}

const HEAD: Head = Head {
    kind: RequestKind::Whole,
    channel: [3; 16],
    number: 9,
};

#[test]
fn a_request_opens_at_its_receiver_from_its_sender_only() {
    let keys = barrier();
    let (message, nonce) = sealed::seal_request(&keys, &ends(), HEAD, BODY).unwrap();
    let (head, same, inside) = sealed::open_request(&keys, &ends(), &message).unwrap();
    assert_eq!((head, same, &*inside), (HEAD, nonce, BODY));
    let thief = member("thief").public_key;
    for wrong in [
        Ends {
            answers: thief.clone(),
            ..ends()
        },
        Ends {
            asks: thief,
            ..ends()
        },
        Ends {
            asks: ends().answers,
            answers: ends().asks,
        },
    ] {
        let refused = sealed::open_request(&keys, &wrong, &message).err();
        assert_eq!(refused, Some(Refusal::DoesNotOpen));
    }
    let refused = sealed::open_request(&barrier(), &ends(), &message).err();
    assert_eq!(refused, Some(Refusal::DoesNotOpen));
    for length in 0..message.len() {
        let refused = sealed::open_request(&keys, &ends(), &message[..length]).err();
        assert_eq!(refused, Some(Refusal::DoesNotOpen), "{length}");
    }
}

#[test]
fn an_answer_opens_for_its_own_request_only() {
    let keys = barrier();
    let (_, first) = sealed::seal_request(&keys, &ends(), HEAD, BODY).unwrap();
    let (asked, second) = sealed::seal_request(&keys, &ends(), HEAD, BODY).unwrap();
    let answered = sealed::seal_answer(&keys, &ends(), &first, SECRET).unwrap();
    let opens =
        |ends: &Ends, nonce, message: &[u8]| match sealed::open_answer(&keys, ends, nonce, message)
        {
            SealedAnswer::Opened(inside) => inside == SECRET,
            _ => false,
        };
    assert!(opens(&ends(), &first, &answered));
    assert!(!opens(&ends(), &second, &answered), "swapped");
    let other = Ends {
        answers: member("thief").public_key,
        ..ends()
    };
    assert!(!opens(&other, &first, &answered), "of another node");
    // A request is no answer, and an answer no request.
    let turned = [&[2, 0][..], &asked[26..]].concat();
    assert!(!opens(&ends(), &second, &turned));
    let mut turned = asked[..26].to_vec();
    turned.extend_from_slice(&answered[2..]);
    assert!(sealed::open_request(&keys, &ends(), &turned).is_err());
    for at in 0..answered.len() {
        let mut altered = answered.to_vec();
        altered[at] ^= 1;
        assert!(!opens(&ends(), &first, &altered), "{at}");
        assert!(!opens(&ends(), &first, &answered[..at]), "{at}");
    }
}

fn binding(keys: &Arc<Unsealed>, nonce: u8) -> Binding {
    Binding {
        barrier: Arc::clone(keys),
        ends: ends(),
        nonce: [nonce; 24],
    }
}

async fn frames(keys: &Arc<Unsealed>, nonce: u8, body: &[u8]) -> Vec<Bytes> {
    let sealed = body::seal(binding(keys, nonce), Bytes::copy_from_slice(body));
    sealed.map(|frame| frame.unwrap()).collect().await
}

/// Returns the body that comes out of frames that arrive in pieces of `size`; `None` when it breaks
/// off.
async fn opened(keys: &Arc<Unsealed>, frames: &[Bytes], size: usize) -> (Option<Vec<u8>>, bool) {
    let bytes: Vec<u8> = frames.iter().flatten().copied().collect();
    let pieces: Vec<io::Result<Bytes>> = bytes
        .chunks(size)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let forged = Forged::default();
    let pieces = Box::pin(stream::iter(pieces));
    let body = body::open(binding(keys, 1), pieces, Arc::clone(&forged));
    let parts: Vec<io::Result<Bytes>> = body.collect().await;
    let is_forged = forged.load(Ordering::SeqCst);
    let whole = parts.into_iter().collect::<io::Result<Vec<_>>>().ok();
    (whole.map(|parts| parts.concat()), is_forged)
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_was_cut_is_not_executed() {
    let two = Two::new(true);
    two.send(&large()).await.unwrap();
    // The same again under the next number, and then its body without its end.
    let keys = two.active.barrier().unwrap();
    let head = two.tap.sent.lock().unwrap()[1].clone();
    let (mut next, _, inside) = sealed::open_request(&keys, &ends(), &head).unwrap();
    for (drops, is_executed) in [(1, false), (0, true)] {
        next.number += 1;
        let (message, nonce) = sealed::seal_request(&keys, &ends(), next, &inside).unwrap();
        let bound = Binding {
            barrier: keys.clone(),
            ends: ends(),
            nonce,
        };
        let frames: Vec<_> = body::seal(bound, large().body).collect().await;
        let kept = frames.len() - drops;
        let body = Box::pin(stream::iter(frames.into_iter().take(kept)));
        let net = &two.tap.inner;
        let sent = net.stream(&two.to, Protocol::Forward, message, body, WITHIN);
        let answer = sent.await.unwrap();
        assert_eq!(answer == sealed::refuse(Refusal::DoesNotOpen), !is_executed);
        assert_eq!(two.desk.times(), 1 + usize::from(is_executed));
    }
}
