//! Every switch, and values that are wrong.

use ordinal_tests::{
    Outcome,
    helm::{CHART, Helm},
};
use serde_json::{Value, json};

/// The names of the objects of a kind.
fn names<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a str> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind.map(|object| object["metadata"]["name"].as_str().unwrap_or_default()).collect()
}

fn pod(objects: &[Value]) -> &Value {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
    deployment.map_or(&Value::Null, |deployment| &deployment["spec"]["template"]["spec"])
}

#[tokio::test]
async fn the_chart_passes_helms_own_check() -> Outcome {
    Helm::alone().await?.run(&["lint", "--strict", CHART]).await?;
    Ok(())
}

#[tokio::test]
async fn each_switch_brings_and_takes_its_objects() -> Outcome {
    let helm = Helm::alone().await?;
    let usual = helm.template(&[]).await?;
    for (kind, value, there) in [
        ("CustomResourceDefinition", "crds.install=false", true),
        ("PodDisruptionBudget", "podDisruptionBudget.enabled=false", true),
        ("PodDisruptionBudget", "replicas=1", true),
        ("ServiceAccount", "serviceAccount.create=false", true),
        ("ClusterRoleBinding", "rbac.create=false", true),
        ("Service", "metrics.service.enabled=false", true),
        ("ServiceMonitor", "metrics.serviceMonitor.enabled=true", false),
        ("PodMonitor", "metrics.podMonitor.enabled=true", false),
        ("PrometheusRule", "metrics.prometheusRule.enabled=true", false),
        ("ConfigMap", "metrics.dashboard.enabled=true", false),
        ("NetworkPolicy", "networkPolicy.enabled=true", false),
    ] {
        assert_eq!(!names(&usual, kind).is_empty(), there, "{kind} by default");
        let switched = helm.template(&["--set", value]).await?;
        assert_eq!(names(&switched, kind).is_empty(), there, "{kind} with {value}");
    }
    let aggregated = ["ordinal-view", "ordinal-edit"];
    assert_eq!(names(&usual, "ClusterRole"), [&aggregated[..], &["ordinal"]].concat());
    let alone = helm.template(&["--set", "rbac.aggregate=false"]).await?;
    assert_eq!(names(&alone, "ClusterRole"), ["ordinal"]);
    Ok(())
}

#[tokio::test]
async fn the_kind_stays_when_the_release_goes_unless_a_value_says_otherwise() -> Outcome {
    let helm = Helm::alone().await?;
    let policy = async |values: &[&str]| -> anyhow::Result<Value> {
        let objects = helm.template(values).await?;
        let crd = objects.into_iter().find(|object| object["kind"] == "CustomResourceDefinition");
        Ok(crd.unwrap_or_default()["metadata"]["annotations"]["helm.sh/resource-policy"].clone())
    };
    assert_eq!(policy(&[]).await?, "keep");
    assert_eq!(policy(&["--set", "crds.keep=false"]).await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn with_namespaces_there_are_roles_there_and_no_right_on_pods_elsewhere() -> Outcome {
    let objects = Helm::alone().await?.template(&["--set", "watchNamespaces={a,b}"]).await?;
    assert!(names(&objects, "ClusterRoleBinding").is_empty());
    for role in objects.iter().filter(|object| object["kind"] == "ClusterRole") {
        let groups: Vec<_> =
            role["rules"].as_array().into_iter().flatten().map(|rule| rule["apiGroups"].clone()).collect();
        assert!(groups.iter().all(|group| *group == json!(["apps.ordinal.dev"])), "{role}");
    }
    let places: Vec<_> =
        objects.iter().filter(|o| o["kind"] == "Role").map(|o| o["metadata"]["namespace"].clone()).collect();
    assert_eq!(places, ["a", "b", "ordinal-system"]);
    let args = pod(&objects)["containers"][0]["args"].to_string();
    assert!(args.contains("--namespaces=a,b"), "{args}");
    Ok(())
}

#[tokio::test]
async fn rights_on_stateful_sets_come_with_adoption_alone() -> Outcome {
    let helm = Helm::alone().await?;
    let roles = |objects: &[Value]| {
        let ours = objects.iter().filter(|o| o["rules"].to_string().contains("statefulsets"));
        ours.map(|o| (o["kind"].clone(), o["metadata"]["namespace"].clone())).collect::<Vec<_>>()
    };
    let args = |objects: &[Value]| pod(objects)["containers"][0]["args"].to_string();
    let usual = helm.template(&[]).await?;
    assert!(roles(&usual).is_empty() && !args(&usual).contains("--adoption"));
    let switched = helm.template(&["--set", "adoption.enabled=true"]).await?;
    assert_eq!(roles(&switched), [(json!("ClusterRole"), Value::Null)]);
    assert!(args(&switched).contains("--adoption"), "{}", args(&switched));
    let there = helm.template(&["--set", "adoption.enabled=true,watchNamespaces={a,b}"]).await?;
    assert_eq!(roles(&there), ["a", "b"].map(|ns| (json!("Role"), json!(ns))));
    Ok(())
}

#[tokio::test]
async fn values_of_the_pod_arrive_there() -> Outcome {
    let values = json!({
        "image": {"repository": "r/ordinal", "tag": "1.2.3"},
        "imagePullSecrets": [{"name": "secret"}],
        "priorityClassName": "system-cluster-critical",
        "affinity": {"nodeAffinity": {}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "extraArgs": ["--context=x"],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "proxy"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "of-{{ .Release.Name }}"}}],
        "client": {"qps": 20, "burst": 40},
    });
    let file = tempfile::NamedTempFile::with_suffix(".json")?;
    std::fs::write(&file, values.to_string())?;
    let path = file.path().display().to_string();
    let helm = Helm::alone().await?;
    let objects = helm.template(&["--values", &path]).await?;
    let (pod, container) = (pod(&objects), &pod(&objects)["containers"][0]);
    assert_eq!(container["image"], "r/ordinal:1.2.3");
    for field in [
        "imagePullSecrets",
        "priorityClassName",
        "affinity",
        "nodeSelector",
        "tolerations",
        "topologySpreadConstraints",
    ] {
        assert_eq!(pod[field], values[field], "{field}");
    }
    assert_eq!(pod["volumes"], values["extraVolumes"]);
    assert_eq!(container["volumeMounts"], values["extraVolumeMounts"]);
    let args = container["args"].to_string();
    assert!(["--context=x", "--qps=20", "--burst=40"].iter().all(|arg| args.contains(arg)), "{args}");
    assert!(container["env"].to_string().contains("HTTPS_PROXY"));
    assert_eq!(names(&objects, "ConfigMap"), ["of-ordinal"]);

    let digest = format!("image.digest=sha256:{}", "0".repeat(64));
    let objects = helm.template(&["--set", &digest]).await?;
    let image = self::pod(&objects)["containers"][0]["image"].to_string();
    assert!(image.contains("ordinal@sha256:000"), "{image}");
    Ok(())
}

#[tokio::test]
async fn wrong_values_are_refused_with_their_place() -> Outcome {
    let helm = Helm::alone().await?;
    for (value, place) in [
        ("replicas=two", "/replicas"),
        ("workers=0", "/workers"),
        ("client.qps=-1", "/client/qps"),
        ("logging.level=loud", "/logging/level"),
        ("logging.format=xml", "/logging/format"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("image.digest=latest", "/image/digest"),
        ("watchNamespaces={Prod}", "/watchNamespaces/0"),
        ("watchNamespaces={a,a}", "/watchNamespaces"),
        ("watchnamespaces={a}", "watchnamespaces"),
        ("crds.keep=maybe", "/crds/keep"),
        ("leaderElection.leaseDuration=0", "/leaderElection/leaseDuration"),
        ("metrics.serviceMonitor.interval=often", "/metrics/serviceMonitor/interval"),
        ("networkPolicy.apiServerPorts={}", "/networkPolicy/apiServerPorts"),
        ("extraArgs={verbose}", "/extraArgs/0"),
    ] {
        let said = match helm.template(&["--set", value]).await {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(place), "{value}: {said}");
    }
    let without = ["--set", "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false"];
    let said = helm.template(&without).await.map(|_| ()).map_err(|e| e.to_string());
    assert!(said.as_ref().is_err_and(|said| said.contains("needs metrics.service.enabled")), "{said:?}");
    Ok(())
}
