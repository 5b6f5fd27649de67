//! Guarantee 5: what the pipeline file does not grant is refused.

use tidegate_engine::Kind;
use tidegate_model::{ErrorKind, RunState};

use crate::harness::{House, failure};
use crate::kinds::KIND;

async fn outcome(does: &str, name: &str, rest: &str) -> (RunState, Option<(String, ErrorKind)>) {
    let mut house = House::new(&format!(
        "[bucket.raw]\n[bucket.out]\n[bucket.other]\n[table.mine]\nkey = {{ id = \"string\" }}\n[table.others]\n\
         key = {{ id = \"string\" }}\n[function.f]\non = {{ created = \"raw\" }}\nrun = \"test\"\n\
         with = {{ does = \"{does}\", name = \"{name}\" }}\n{rest}\n"
    ))
    .await;
    house.pipeline.functions[0].retry.attempts = 1;
    house.put("raw", "a", "1,x\n").await;
    house.run_once(&house.engine()).await;
    let run = house.run().await;
    let told = run.failure.as_ref().map(|_| (failure(&run).code.clone(), failure(&run).kind));
    assert_eq!(house.objects("other").await.len() + house.rows("others").await.len(), 0);
    (run.state, told)
}

#[tokio::test(start_paused = true)]
async fn only_what_is_granted_can_be_reached() {
    let into = "into = [\"out\", \"mine\"]";
    let refused = (RunState::Failed, Some(("R0007".to_owned(), ErrorKind::Denied)));
    let done = (RunState::Succeeded, None);
    assert_eq!(outcome("read", "other", into).await, refused, "a bucket it may not read");
    assert_eq!(outcome("read", "nowhere", into).await, refused, "a bucket that is not there");
    assert_eq!(outcome("read", "raw", into).await, done, "the bucket that starts it");
    assert_eq!(outcome("read", "other", &format!("{into}\nreads = \"other\"")).await, done, "a bucket it reads");
    assert_eq!(outcome("write", "other", into).await, refused, "a bucket it may not write");
    assert_eq!(outcome("write", "raw", into).await, refused, "reading is not writing");
    assert_eq!(outcome("write", "out", into).await, done);
    assert_eq!(outcome("table", "others", into).await, refused, "a table it may not use");
    assert_eq!(outcome("table", "nowhere", into).await, refused, "a table that is not there");
    assert_eq!(outcome("table", "mine", into).await, done);
    let (state, told) = outcome("table", "others", &format!("{into}\nreads = \"others\"")).await;
    assert_eq!(
        (state, told.map(|(_, kind)| kind)),
        (RunState::Failed, Some(ErrorKind::Denied)),
        "reading is not loading"
    );
}

#[tokio::test(start_paused = true)]
async fn a_granted_bucket_can_only_be_read() {
    use object_store::ObjectStoreExt;
    use object_store::path::Path;

    /// Tries every way of writing that a store has.
    struct Writes;

    #[async_trait::async_trait]
    impl tidegate_engine::Function for Writes {
        async fn call(
            &self,
            context: &tidegate_engine::Context,
        ) -> Result<tidegate_engine::Outcome, tidegate_model::Failure> {
            let store = context.bucket("raw")?;
            let (a, b) = (Path::from("a"), Path::from("b"));
            assert!(store.head(&a).await.is_ok());
            for refused in [
                store.put(&b, "x".into()).await.map(drop),
                store.put_multipart(&b).await.map(drop),
                store.delete(&a).await,
                store.copy(&a, &b).await,
                store.rename(&a, &b).await,
            ] {
                let error = refused.expect_err("nothing may be written");
                assert!(matches!(error, object_store::Error::PermissionDenied { .. }), "{error:?}");
            }
            Ok(tidegate_engine::Outcome::default())
        }
    }

    let house = House::new("[bucket.raw]\n[function.f]\non = { created = \"raw\" }\nrun = \"test\"\n").await;
    house.put("raw", "a", "x").await;
    let kind = Kind { spec: KIND.spec, build: |_, _| Ok(Box::new(Writes)) };
    let engine = tidegate_engine::Engine::new(house.wiring("worker"), &[kind]).expect("an engine");
    house.run_once(&std::sync::Arc::new(engine)).await;
    let run = house.run().await;
    assert_eq!((run.state, &run.failure), (RunState::Succeeded, &None));
    assert_eq!(house.objects("raw").await.len(), 1);
}
