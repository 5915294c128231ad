//! A client within the cluster who asks a Service over and over, and counts who answers and who does not.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use ordinal_tests::Look;
use serde_json::json;

use crate::scene::{SOON, Scene};

const NAME: &str = "customer";

/// Some four times a second. By the Service's address, not by its name: DNS is another story.
const ASK: &str = r#"
while :; do
  if answer=$(timeout 5 wget -q -O - "http://$KUBIA_PUBLIC_SERVICE_HOST/host" 2>&1); then
    echo "answered: $answer"
  else
    echo "failed: $(date) $answer"
  fi
  sleep 0.2
done
"#;

/// What became of all that was asked.
#[derive(Debug, Default)]
struct Account {
    /// How many answers, by who answered.
    answered: BTreeMap<String, usize>,
    /// What was told of each failure.
    failed: Vec<String>,
}

pub struct Customer<'a> {
    scene: &'a Scene,
}

impl<'a> Customer<'a> {
    /// Begins to ask kubia-public, which must be there.
    pub async fn of(scene: &'a Scene) -> Result<Self> {
        let container = json!({
            "name": "main", "image": scene.place().image("busybox"), "command": ["/bin/sh", "-c", ASK],
        });
        let spec = json!({"containers": [container], "terminationGracePeriodSeconds": 1});
        scene.create_object::<Pod>(json!({"metadata": {"name": NAME}, "spec": spec})).await?;
        let customer = Self { scene };
        customer.answers(5).await?;
        Ok(customer)
    }

    /// Waits for so many answers in all.
    async fn answers(&self, wanted: usize) -> Result<()> {
        self.scene
            .eventually(SOON, &format!("the customer has {wanted} answers"), async || {
                let account = self.account().await?;
                let count: usize = account.answered.values().sum();
                Ok(Look::when(count >= wanted, || format!("{account:?}")))
            })
            .await
    }

    /// What has become of it so far.
    async fn account(&self) -> Result<Account> {
        let mut account = Account::default();
        for line in self.scene.kubectl().ok(["logs", NAME]).await?.lines() {
            match line.split_once(": ") {
                Some(("answered", who)) => *account.answered.entry(who.to_owned()).or_default() += 1,
                _ => account.failed.push(line.to_owned()),
            }
        }
        Ok(account)
    }

    /// The end: nobody must have been refused, and each of these must still answer.
    pub async fn was_always_answered(self, by: &[&str]) -> Result<()> {
        let times = |account: &Account, who: &str| account.answered.get(who).copied().unwrap_or_default();
        // Those who answered before may have been others of the same names; and the last question may hang.
        let before = self.account().await?;
        let account = self.scene.eventually(SOON, "the customer has new answers of all", async || {
            let account = self.account().await?;
            let silent = by.iter().find(|who| times(&account, who) < times(&before, who) + 3);
            Ok(match silent {
                Some(who) => Look::NotYet(format!("few of {who}: {account:?}")),
                None => Look::Done(account),
            })
        });
        let account = account.await?;
        ensure!(account.failed.is_empty(), "a customer was not answered: {account:#?}");
        Ok(())
    }
}
