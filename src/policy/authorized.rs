//! The proof that a policy let a request through.

/// A request that was asked about. Nobody outside this room can make one, so whoever takes an
/// `Authorized<R>` cannot be called with a request that skipped the question.
#[derive(Clone, Copy, Debug)]
pub struct Authorized<R> {
    request: R,
    sudo: bool,
}

/// The policies do not grant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("permission denied")]
pub struct Denied;

impl<R> Authorized<R> {
    pub(super) fn granted(request: R, sudo: bool) -> Self {
        Self { request, sudo }
    }

    /// A request for a path that needs no token (logins); such a request has no privileges.
    pub fn public(request: R) -> Self {
        Self::granted(request, false)
    }

    /// True when the policies give `sudo` on the path: what [`crate::engine::Caller::has_sudo`]
    /// is filled from.
    pub fn sudo(&self) -> bool {
        self.sudo
    }

    /// The request.
    pub fn request(&self) -> &R {
        &self.request
    }

    /// Gives the request up together with the proof.
    pub fn into_request(self) -> R {
        self.request
    }
}

impl<'a, R> Authorized<&'a mut R> {
    /// The proof for who only reads the request, for a while.
    pub fn borrowed(&self) -> Authorized<&R> {
        Authorized::granted(&*self.request, self.sudo)
    }

    /// The proof for who only reads the request, and the request itself.
    pub fn shared(self) -> (Authorized<&'a R>, &'a R) {
        let request: &R = self.request;
        (Authorized::granted(request, self.sudo), request)
    }
}

impl Authorized<()> {
    /// Puts the request in whose path, operation and data were asked about.
    pub fn carry<R>(self, request: R) -> Authorized<R> {
        Authorized::granted(request, self.sudo)
    }
}

impl From<Denied> for crate::engine::Error {
    fn from(_: Denied) -> Self {
        Self::denied()
    }
}
