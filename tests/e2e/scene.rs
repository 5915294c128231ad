//! A story's own namespace, and what is done and looked at in it.

use std::{ops::Deref, rc::Rc, time::Duration};

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use ordinal_tests::{Look, Namespace, binaries::repository, edit::put, namespace::is_ready};
use serde_json::{Value, json};

use crate::place::{MADE_HERE, Place};

/// A pod comes and goes within seconds; its image is there.
pub const SOON: Duration = Duration::from_secs(180);

/// A whole set comes and goes, or what somebody looks for every half a minute is found.
pub const LATER: Duration = Duration::from_secs(360);

const KUBIA: &str = "examples/kubia/kubia.yaml";

/// The pod that has a shell.
const TOOLS: &str = "tools";

pub struct Scene {
    place: Rc<Place>,
    ns: Namespace,
}

impl Deref for Scene {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.ns
    }
}

impl Scene {
    /// Makes a namespace for a story.
    pub async fn prepare(place: Rc<Place>, story: &str) -> Result<Self> {
        let (name, labels) = (format!("e2e-{story}"), json!({MADE_HERE: "scene"}));
        let ns = Namespace::create(place.client(), place.kubectl().clone(), &name, labels).await?;
        Ok(Self { place, ns })
    }

    /// Removes it with all its volumes.
    pub async fn strike(&self) -> Result<()> {
        let kubectl = self.place.kubectl();
        kubectl.ok(["delete", "namespace", self.name(), "--timeout=180s"]).await?;
        let volumes: Api<PersistentVolume> = Api::all(self.client());
        self.eventually(SOON, "its volumes are given back", async || {
            let ours = |volume: &PersistentVolume| {
                let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
                let retained = volume.labels().contains_key(MADE_HERE);
                !retained && claim.is_some_and(|claim| claim.namespace.as_deref() == Some(self.name()))
            };
            let left = volumes.list(&ListParams::default()).await?.items.iter().filter(|volume| ours(volume)).count();
            Ok(Look::when(left == 0, || format!("{left} are left")))
        })
        .await?;
        // Those that the story made itself, whose data nobody else removes.
        kubectl.ok(["delete", "persistentvolume", &format!("--selector={MADE_HERE}=scene"), "--timeout=180s"]).await?;
        Ok(())
    }

    /// The cluster.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Applies the kubia set and its Services, after these changes of the set: see `edit::put` for the paths.
    pub async fn kubia(&self, changes: &[(&str, Value)]) -> Result<()> {
        let text = std::fs::read_to_string(repository().join(KUBIA)).with_context(|| format!("cannot read {KUBIA}"))?;
        let mut objects: Vec<Value> =
            serde_saphyr::from_multiple(&text).with_context(|| format!("{KUBIA}: no YAML"))?;
        for set in objects.iter_mut().filter(|object| object["kind"] == "OrdinalSet") {
            put(set, "main.image", &self.place.image("kubia").into())?;
            for (path, value) in changes {
                put(set, path, value)?;
            }
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.kubectl().apply(&list.to_string()).await.map(drop)
    }

    /// Waits until a set has so many available pods and nothing more to do.
    pub async fn at_rest(&self, set: &str, replicas: i32) -> Result<()> {
        self.eventually(LATER, &format!("{set} has {replicas} available pods and nothing to do"), async || {
            let set = self.set(set).await?;
            let (status, progressing) = (&set["status"], condition(&set, "Progressing"));
            let counts = ["replicas", "readyReplicas", "availableReplicas"];
            let counted = counts.iter().all(|count| status[*count] == replicas);
            let seen = status["observedGeneration"] == set["metadata"]["generation"];
            let rests = counted && seen && progressing["reason"] == "Complete";
            Ok(Look::when(rests, || format!("{status:#}")))
        })
        .await
    }

    /// A pod that must be there.
    pub async fn pod(&self, name: &str) -> Result<Pod> {
        self.pods().get(name).await.with_context(|| format!("there is no pod {name}"))
    }

    /// Waits until another pod of the name of `before` is ready.
    pub async fn replaced(&self, before: &Pod) -> Result<Pod> {
        self.replaced_within(SOON, before).await
    }

    /// The same, where something else is waited for first.
    pub async fn replaced_within(&self, limit: Duration, before: &Pod) -> Result<Pod> {
        let name = before.name_any();
        self.eventually(limit, &format!("another {name} is ready"), async || {
            let pod = self.pods().get_opt(&name).await?;
            Ok(match pod {
                Some(pod) if pod.uid() != before.uid() && is_ready(&pod) => Look::Done(pod),
                Some(pod) if pod.uid() == before.uid() => Look::NotYet("the old one is there".to_owned()),
                Some(pod) => Look::NotYet(ordinal_tests::namespace::describe(&pod)),
                None => Look::NotYet("there is none".to_owned()),
            })
        })
        .await
    }

    /// GETs a path of a pod's program, through the API server.
    pub async fn ask(&self, pod: &str, path: &str) -> Result<String> {
        let request = Request::get(self.proxy(&format!("pods/{pod}:8080"), path)).body(Vec::new())?;
        self.client().request_text(request).await.with_context(|| format!("{pod} does not answer GET {path}"))
    }

    /// POSTs data to a pod's program.
    pub async fn tell(&self, pod: &str, data: &str) -> Result<String> {
        self.post(&format!("pods/{pod}:8080"), "/", data).await
    }

    /// POSTs to what the API server leads to: `pods/<name>:<port>` or `services/<name>:<port's name>`.
    pub async fn post(&self, to: &str, path: &str, data: &str) -> Result<String> {
        let request = Request::post(self.proxy(to, path)).header("content-type", "application/json");
        let request = request.body(data.as_bytes().to_vec())?;
        self.client().request_text(request).await.with_context(|| format!("{to} does not answer POST {path}"))
    }

    fn proxy(&self, to: &str, path: &str) -> String {
        format!("/api/v1/namespaces/{}/{to}/proxy{path}", self.name())
    }

    /// What a pod's program has written down of those who wrote to its volume.
    pub async fn testimony(&self, pod: &str) -> Result<Testimony> {
        Testimony::of(&self.ask(pod, "/witness").await?)
    }

    /// No volume of these pods has ever had two writers at a time, as their program has written down.
    pub async fn no_volume_had_two_writers(&self, pods: &[&str]) -> Result<()> {
        for pod in pods {
            let told = self.testimony(pod).await?;
            ensure!(told.conflicts.is_empty(), "{pod}'s volume had two writers: {told:#?}");
        }
        Ok(())
    }

    /// Changes the template, so that every pod is to be replaced.
    pub async fn new_edition(&self, set: &str, edition: &str) -> Result<()> {
        let annotations = json!({"test.ordinal.dev/edition": edition});
        let template = json!({"metadata": {"annotations": annotations}});
        self.patch_set(set, json!({"spec": {"template": template}})).await.map(drop)
    }

    /// Waits until the status names a pod as blocked for a reason, and returns its words.
    pub async fn blocked(&self, set: &str, pod: &str, reason: &str) -> Result<String> {
        self.eventually(SOON, &format!("{set} tells that {pod} is blocked by {reason}"), async || {
            let status = self.set(set).await?["status"].clone();
            let all = status["blockedPods"].as_array().cloned().unwrap_or_default();
            let found = all.iter().find(|blocked| blocked["name"] == pod && blocked["reason"] == reason);
            Ok(match found {
                Some(blocked) => Look::Done(blocked["message"].as_str().unwrap_or_default().to_owned()),
                None => Look::NotYet(format!("{:#}", status["blockedPods"])),
            })
        })
        .await
    }

    /// Waits until a condition of a set has a reason, and returns its words.
    pub async fn says(&self, set: &str, type_: &str, reason: &str) -> Result<String> {
        self.eventually(SOON, &format!("{type_} of {set} is {reason}"), async || {
            let found = condition(&self.set(set).await?, type_);
            Ok(if found["reason"] == reason {
                Look::Done(found["message"].as_str().unwrap_or_default().to_owned())
            } else {
                Look::NotYet(found.to_string())
            })
        })
        .await
    }

    /// Starts a pod with a shell and small tools.
    pub async fn tools(&self) -> Result<()> {
        let container =
            json!({"name": "main", "image": self.place.image("busybox"), "command": ["/bin/sleep", "2147483647"]});
        let spec = json!({"containers": [container], "terminationGracePeriodSeconds": 1});
        self.create_object::<Pod>(json!({"metadata": {"name": TOOLS}, "spec": spec})).await?;
        self.pod_ready(TOOLS, SOON).await.map(drop)
    }

    /// What DNS says within a pod about a name of this namespace, such as `kubia-0.kubia`; also that there is none.
    pub async fn lookup(&self, kind: &str, name: &str) -> Result<String> {
        let (kind, name) = (format!("-type={kind}"), self.full_name(name));
        let output = self.kubectl().run(["exec", TOOLS, "--", "nslookup", &kind, &name]).await?;
        Ok(output.stdout + &output.stderr)
    }

    /// A name with the cluster's domain.
    pub fn full_name(&self, name: &str) -> String {
        format!("{name}.{}.svc.cluster.local", self.name())
    }
}

/// A condition of a set; null when it has none of the type.
pub fn condition(set: &Value, type_: &str) -> Value {
    let all = set["status"]["conditions"].as_array().into_iter().flatten();
    all.into_iter().find(|condition| condition["type"] == type_).cloned().unwrap_or_default()
}

/// The node that a pod runs on.
pub fn node_of(pod: &Pod) -> Result<&str> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    node.with_context(|| format!("{} is on no node", pod.name_any()))
}

/// A pod's address.
pub fn address_of(pod: &Pod) -> Result<&str> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    address.with_context(|| format!("{} has no address", pod.name_any()))
}

/// The id by which containerd knows a pod's first container.
pub fn container_of(pod: &Pod) -> Result<&str> {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let id = containers.and_then(|all| all.first()?.container_id.as_deref()?.strip_prefix("containerd://"));
    id.with_context(|| format!("{} has no container", pod.name_any()))
}

/// What kubia tells of its volume.
#[derive(Debug)]
pub struct Testimony {
    /// How often the one who tells it has marked the volume: it grows as long as that one writes.
    pub marks: u64,
    /// All that ever began to write, in order; the last of them tells it.
    pub starts: Vec<String>,
    /// Those that ended in good order.
    pub ends: Vec<String>,
    /// Those that met another.
    pub conflicts: Vec<String>,
}

impl Testimony {
    /// Reads the answer to `GET /witness`.
    pub fn of(text: &str) -> Result<Self> {
        let lines = |from: &str, to: &str| -> Option<Vec<String>> {
            let (_, rest) = text.split_once(from)?;
            let part = if to.is_empty() { rest } else { rest.split_once(to)?.0 };
            Some(part.lines().map(str::to_owned).collect())
        };
        let told = || -> Option<Self> {
            Some(Self {
                marks: lines("marks: ", "starts:\n")?.first()?.parse().ok()?,
                starts: lines("starts:\n", "ends:\n")?,
                ends: lines("ends:\n", "conflicts:\n")?,
                conflicts: lines("conflicts:\n", "")?,
            })
        };
        told().with_context(|| format!("that is no testimony: {text}"))
    }

    /// Whether the one who began before the last has ended in good order.
    pub fn last_but_one_has_ended(&self) -> bool {
        self.starts.iter().rev().nth(1).is_some_and(|before| self.ends.contains(before))
    }
}
