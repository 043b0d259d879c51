use super::*;

async fn with_secret() -> Harness {
    let harness = Harness::new().await;
    let body = json!({"data": {"a": "b"}});
    harness
        .root(Operation::Update, "secret/data/x", body)
        .await
        .unwrap();
    harness
}

const INVALID: &str = "wrapping token is not valid or does not exist";

async fn unwrap(harness: &Harness, token: &str, data: Value) -> Result<Value, Error> {
    let path = "sys/wrapping/unwrap";
    let response = harness.call(token, Operation::Update, path, data).await?;
    Ok(serde_json::from_slice(&response.body.unwrap().bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrapping_token_opens_once_also_at_the_same_time() {
    let harness = with_secret().await;
    for by_body in [false, true] {
        let token = harness.wrapped("secret/data/x").await;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let router = Arc::clone(&harness.router);
            let (header, body) = match by_body {
                true => (ROOT, json!({"token": token})),
                false => (token.as_str(), json!({})),
            };
            let path = "sys/wrapping/unwrap";
            let incoming = Harness::incoming(header, Operation::Update, path, body);
            calls.spawn(async move { router.handle(incoming).await.result });
        }
        let mut opened = 0;
        for result in calls.join_all().await {
            match result {
                Ok(_) => opened += 1,
                Err(error) => assert_eq!(error.messages, [INVALID]),
            }
        }
        assert_eq!(opened, 1, "by body: {by_body}");
    }
}

#[tokio::test]
async fn it_opens_to_what_was_wrapped_and_leaves_nothing() {
    let harness = with_secret().await;
    let records = || harness.barrier.view("").walk("", usize::MAX).unwrap().len();
    let before = records();
    let token = harness.wrapped("secret/data/x").await;
    assert!(records() > before);
    let envelope = unwrap(&harness, &token, json!({})).await.unwrap();
    assert_eq!(envelope["data"]["data"], json!({"a": "b"}));
    assert!(envelope["wrap_info"].is_null());
    assert_eq!(records(), before);
    assert_eq!(
        unwrap(&harness, &token, json!({}))
            .await
            .unwrap_err()
            .messages,
        [INVALID]
    );
}

#[tokio::test]
async fn used_anywhere_else_it_is_spent() {
    let harness = with_secret().await;
    for path in [
        "secret/data/x",
        "sys/mounts",
        "nope/x",
        "auth/token/lookup-self",
    ] {
        let token = harness.wrapped("secret/data/x").await;
        assert!(harness.read(&token, path).await.is_err(), "{path}");
        let error = unwrap(&harness, &token, json!({})).await.unwrap_err();
        assert_eq!(error.messages, [INVALID], "{path}");
    }
}

#[tokio::test]
async fn looking_it_up_costs_nothing_and_rewrapping_replaces_it() {
    let harness = with_secret().await;
    let first = harness.wrapped("secret/data/x").await;
    for _ in 0..3 {
        let body = json!({"token": first});
        let path = "sys/wrapping/lookup";
        let answer = harness
            .call("", Operation::Update, path, body)
            .await
            .unwrap();
        assert_eq!(*field(&answer, "creation_path"), json!("secret/data/x"));
        assert_eq!(*field(&answer, "creation_ttl"), json!(60));
    }
    let path = "sys/wrapping/rewrap";
    let again = harness
        .call(&first, Operation::Update, path, json!({}))
        .await
        .unwrap();
    let second = again.wrap_info.unwrap().token.into_inner();
    assert_eq!(
        unwrap(&harness, &first, json!({}))
            .await
            .unwrap_err()
            .messages,
        [INVALID]
    );
    assert!(unwrap(&harness, &second, json!({})).await.is_ok());
}

#[tokio::test]
async fn only_wrapping_tokens_open_and_only_for_callers() {
    let harness = with_secret().await;
    let token = harness.wrapped("secret/data/x").await;
    let nobody = unwrap(&harness, "", json!({"token": token}))
        .await
        .unwrap_err();
    assert_eq!(nobody.messages, ["permission denied"]);
    for body in [json!({"token": ROOT}), json!({"token": "nope"}), json!({})] {
        assert_eq!(
            unwrap(&harness, ROOT, body).await.unwrap_err().messages,
            [INVALID]
        );
    }
    let other = harness
        .token("path \"kv/*\" { capabilities = [\"read\"] }", json!({}))
        .await;
    let no_default = json!({"policies": ["none"], "no_default_policy": true});
    let made = harness
        .root(Operation::Update, "auth/token/create", no_default)
        .await
        .unwrap();
    let powerless = made.auth.unwrap().client_token.unwrap().into_inner();
    let denied = unwrap(&harness, &powerless, json!({"token": token}))
        .await
        .unwrap_err();
    assert_eq!(
        denied.messages,
        ["1 error occurred:\n\t* permission denied\n\n"]
    );
    assert!(
        unwrap(&harness, &other, json!({"token": token}))
            .await
            .is_ok(),
        "not spent by those"
    );
}

#[tokio::test]
async fn it_expires() {
    let harness = with_secret().await;
    let token = harness.wrapped("secret/data/x").await;
    harness.clock.advance(Duration::from_secs(61));
    assert_eq!(
        unwrap(&harness, &token, json!({}))
            .await
            .unwrap_err()
            .messages,
        [INVALID]
    );
}

#[tokio::test]
async fn a_life_of_zero_asks_for_no_wrapping() {
    let harness = with_secret().await;
    let mut incoming = Harness::incoming(ROOT, Operation::Read, "secret/data/x", json!({}));
    incoming.wrap_ttl = Some(Duration::ZERO);
    let response = harness.router.handle(incoming).await.result.unwrap();
    assert!(response.wrap_info.is_none() && response.data.is_some());
}

/// The system's maximum in these tests: 32 days.
const LONGEST: Duration = Duration::from_secs(768 * 3600);

async fn wrapped_for(harness: &Harness, ttl: Duration) -> Response {
    let mut incoming = Harness::incoming(ROOT, Operation::Read, "secret/data/x", json!({}));
    incoming.wrap_ttl = Some(ttl);
    harness.router.handle(incoming).await.result.unwrap()
}

#[tokio::test]
async fn a_wrapping_lives_no_longer_than_the_systems_maximum() {
    let harness = with_secret().await;
    let answer = wrapped_for(&harness, LONGEST).await;
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    assert_eq!(answer.wrap_info.unwrap().ttl, LONGEST);
    let answer = wrapped_for(&harness, Duration::from_secs(9_223_372_036)).await;
    let [warning] = answer.warnings.as_slice() else {
        panic!("a warning: {:?}", answer.warnings);
    };
    assert!(warning.contains("maximum lease TTL"), "{warning}");
    let info = answer.wrap_info.unwrap();
    assert_eq!(info.ttl, LONGEST);
    let path = "sys/wrapping/rewrap";
    let token = info.token.into_inner();
    let again = harness.call(&token, Operation::Update, path, json!({}));
    let again = again.await.unwrap().wrap_info.unwrap();
    assert_eq!(again.ttl, LONGEST);
    let token = again.token.into_inner();
    harness.clock.advance(LONGEST + Duration::from_secs(1));
    let late = unwrap(&harness, &token, json!({})).await;
    assert_eq!(late.unwrap_err().messages, [INVALID]);
}

/// A policy's bounds of a wrapping hold for the life that the wrapping gets.
#[tokio::test]
async fn a_policy_that_wants_more_than_the_maximum_lets_nobody_wrap() {
    let harness = with_secret().await;
    let policy = |hours| {
        format!(
            r#"path "secret/data/x" {{ capabilities = ["read"] min_wrapping_ttl = "{hours}h" }}"#
        )
    };
    for (hours, granted) in [(768, true), (769, false)] {
        let token = harness.token(&policy(hours), json!({})).await;
        let mut incoming = Harness::incoming(&token, Operation::Read, "secret/data/x", json!({}));
        incoming.wrap_ttl = Some(Duration::from_secs(1000 * 3600));
        let answer = harness.router.handle(incoming).await.result;
        assert_eq!(answer.is_ok(), granted, "{hours} h");
    }
}
