//! A place to look for a cluster: an address, or a search of the network.

use crate::config::RetryJoin;
use crate::discovery::AutoJoin;
use crate::outbound::{Address, Client, Options, Pem, Proxies, Route, TlsOptions};
use crate::secret::Secret;
use crate::sys::JoinRequest;
use std::path::PathBuf;
use std::sync::Arc;

/// The API's port where a search finds none.
const PORT_DEFAULT: u16 = 8200;

/// A place to look for a cluster.
#[derive(Debug)]
pub(in crate::node) struct JoinTarget {
    at: At,
    tls: Arc<TlsOptions>,
    server_name: Option<String>,
}

#[derive(Debug)]
enum At {
    /// The address of a server: `http://192.168.50.101:8200`.
    Address(String),
    /// The servers that a search finds.
    Search {
        /// The search.
        auto_join: AutoJoin,
        /// The scheme in place of the one announced.
        scheme: Option<String>,
        /// The port in place of the one announced.
        port: Option<u16>,
    },
}

impl JoinTarget {
    /// Reads a stanza. The error is the operator's.
    pub fn of_stanza(stanza: &RetryJoin) -> Result<Self, String> {
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let pem = |text: Option<String>, path: &Option<PathBuf>| match text {
            Some(text) => Some(Pem::Text(Secret::new(text))),
            None => file(path).map(Pem::Trusted),
        };
        let key = stanza.client_key.as_ref().map(|key| key.expose().clone());
        let at = match (&stanza.leader_api_address, &stanza.auto_join) {
            (Some(address), _) => At::address(address)?,
            (None, auto_join) => At::search(
                auto_join.as_deref().unwrap_or_default(),
                stanza.auto_join_scheme.as_deref().unwrap_or_default(),
                stanza.auto_join_port.unwrap_or(0),
            )?,
        };
        Ok(Self {
            at,
            tls: Arc::new(TlsOptions {
                ca_cert: pem(stanza.ca_cert.clone(), &stanza.ca_cert_file),
                client_cert: pem(stanza.client_cert.clone(), &stanza.client_cert_file),
                client_key: pem(key, &stanza.client_key_file),
                ..TlsOptions::default()
            }),
            server_name: stanza.tls_server_name.clone().filter(|n| !n.is_empty()),
        })
    }

    /// Reads a request. The error is the client's.
    pub fn of_request(request: JoinRequest) -> Result<Self, String> {
        let given = |text: String| (!text.is_empty()).then_some(text);
        let pem = |text: String| given(text).map(|text| Pem::Text(Secret::new(text)));
        let at = match (
            request.leader_api_addr.is_empty(),
            request.auto_join.is_empty(),
        ) {
            (false, true) => At::address(&request.leader_api_addr)?,
            (true, false) => At::search(
                &request.auto_join,
                &request.auto_join_scheme,
                request.auto_join_port,
            )?,
            (true, true) => return Err("leader_api_addr or auto_join is required".into()),
            (false, false) => {
                return Err("leader_api_addr and auto_join cannot both be given".into());
            }
        };
        let place = Self {
            at,
            tls: Arc::new(TlsOptions {
                ca_cert: pem(request.leader_ca_cert),
                client_cert: pem(request.leader_client_cert),
                client_key: request.leader_client_key.map(Pem::Text),
                ..TlsOptions::default()
            }),
            server_name: given(request.leader_tls_servername),
        };
        place
            .client()
            .check_tls()
            .map_err(|error| error.to_string())?;
        Ok(place)
    }

    /// Returns the service that is searched for, when one is.
    pub fn service(&self) -> Option<&AutoJoin> {
        match &self.at {
            At::Address(_) => None,
            At::Search { auto_join, .. } => Some(auto_join),
        }
    }

    /// Returns the addresses to try, as URLs. A search takes its time.
    pub async fn addresses(&self) -> Result<Vec<String>, String> {
        let (auto_join, scheme, port) = match &self.at {
            At::Address(address) => return Ok(vec![address.clone()]),
            At::Search {
                auto_join,
                scheme,
                port,
            } => (auto_join, scheme.as_deref(), *port),
        };
        let found = auto_join
            .search()
            .await
            .map_err(|error| error.to_string())?;
        let urls = found.into_iter().map(|mut found| {
            let announced = Some(found.address.port()).filter(|port| *port != 0);
            let port = port.or(announced).unwrap_or(PORT_DEFAULT);
            found.address.set_port(port);
            let scheme = scheme.or(found.scheme.as_deref()).unwrap_or("https");
            format!("{scheme}://{}", found.address)
        });
        Ok(urls.collect())
    }

    /// Returns a client for this place, which reads the files anew, if TLS is spoken.
    pub fn client(&self) -> Client {
        Client::new(Options {
            tls: Arc::clone(&self.tls),
            server_name: self.server_name.clone(),
            // A member is near; the proxies of this host's environment are not for it.
            proxies: Proxies::default(),
        })
    }
}

impl At {
    fn address(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/');
        match Address::parse(text)
            .map_err(|error| error.to_string())?
            .route
        {
            Route::Tcp { .. } => Ok(Self::Address(text.to_owned())),
            Route::Unix(_) => Err("a leader's address starts with http:// or https://".into()),
        }
    }

    fn search(text: &str, scheme: &str, port: u16) -> Result<Self, String> {
        if !matches!(scheme, "" | "http" | "https") {
            return Err(format!(
                "auto_join_scheme: {scheme:?} is neither http nor https"
            ));
        }
        Ok(Self::Search {
            auto_join: AutoJoin::parse(text).map_err(|error| format!("auto_join: {error}"))?,
            scheme: Some(scheme.to_owned()).filter(|scheme| !scheme.is_empty()),
            port: Some(port).filter(|port| *port != 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(address: &str, auto_join: &str) -> JoinRequest {
        JoinRequest {
            leader_api_addr: address.into(),
            auto_join: auto_join.into(),
            ..JoinRequest::default()
        }
    }

    #[test]
    fn requests_that_name_no_place_are_refused() {
        for (address, auto_join, told) in [
            ("", "", "required"),
            ("http://a", "provider=mdns", "both"),
            ("127.0.0.1:8200", "", "invalid address"),
            ("ftp://a", "", "unsupported protocol scheme"),
            ("unix:///run/x", "", "http:// or https://"),
            ("", "provider=aws", "\"aws\" is not in this build"),
        ] {
            let refused = JoinTarget::of_request(request(address, auto_join)).unwrap_err();
            assert!(refused.contains(told), "{refused}");
        }
        let mut ftp = request("", "provider=mdns");
        ftp.auto_join_scheme = "ftp".into();
        assert!(JoinTarget::of_request(ftp).is_err());
        let mut no_pem = request("https://a", "");
        no_pem.leader_ca_cert = "/etc/ca.pem".into();
        let told = JoinTarget::of_request(no_pem).unwrap_err();
        assert!(told.contains("no certificate"), "{told}");
    }

    #[tokio::test]
    async fn an_address_is_taken_as_it_is() {
        let place = JoinTarget::of_request(request(" http://10.0.0.1:8200/ ", "")).unwrap();
        assert_eq!(place.addresses().await.unwrap(), ["http://10.0.0.1:8200"]);
    }
}
