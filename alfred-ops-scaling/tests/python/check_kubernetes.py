"""Holds the official Kubernetes client against the API server of this crate's tests.

Usage: check_kubernetes.py URL

The client is the judge: it parses every answer into its own types and turns every refusal into its exception.
Leaves the deployment `bot` of the namespace `agents` at 2 replicas.
"""

import json
import sys
import threading

from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

NAMESPACE = "agents"
SECONDS = 20


def refused(status, reason, call):
    try:
        call()
    except ApiException as error:
        body = json.loads(error.body)
        assert (error.status, body["kind"], body["reason"], body["code"]) == (status, "Status", reason, status), error
        return body["message"]
    raise AssertionError(f"{status} was not raised")


def said(status):
    """Some calls of the client leave a status as the server wrote it."""
    status = status if isinstance(status, dict) else status.to_dict()
    return status["kind"], status["status"], status["details"]["name"]


def scale(apps, body, **options):
    return apps.patch_namespaced_deployment_scale("bot", NAMESPACE, body, _request_timeout=SECONDS, **options)


def check_read(api):
    apps = client.AppsV1Api(api)
    bot = apps.read_namespaced_deployment("bot", NAMESPACE)
    assert bot.metadata.resource_version and bot.metadata.uid and bot.metadata.generation == 1, bot.metadata
    assert bot.metadata.creation_timestamp.tzinfo, bot.metadata
    assert (bot.spec.replicas, bot.status.replicas, bot.status.ready_replicas) == (3, 3, 3), bot.status
    found = apps.read_namespaced_deployment_scale("bot", NAMESPACE)
    assert found.metadata.resource_version == bot.metadata.resource_version, "a scale is a view of its object"
    assert (found.spec.replicas, found.status.replicas, found.status.selector) == (3, 3, "app=bot"), found
    refused(404, "NotFound", lambda: apps.read_namespaced_deployment_scale("nobody", NAMESPACE))


def check_lists(api):
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    pods = core.list_namespaced_pod(NAMESPACE, label_selector="app=bot")
    assert len(pods.items) == 3 and pods.metadata.resource_version, pods
    assert all(pod.status.phase == "Running" for pod in pods.items)
    assert {pod.metadata.owner_references[0].name for pod in pods.items} == {"bot"}
    page = core.list_namespaced_pod(NAMESPACE, limit=3)
    rest = core.list_namespaced_pod(NAMESPACE, limit=3, _continue=page.metadata._continue)
    assert (len(page.items), len(rest.items), rest.metadata._continue) == (3, 1, None), rest.metadata
    assert [found.metadata.name for found in apps.list_deployment_for_all_namespaces().items] == ["bot"]
    one = core.list_namespaced_pod(NAMESPACE, field_selector=f"metadata.name={pods.items[0].metadata.name}")
    assert len(one.items) == 1, one
    scalers = client.AutoscalingV2Api(api).list_namespaced_horizontal_pod_autoscaler(NAMESPACE)
    assert [found.spec.scale_target_ref.name for found in scalers.items] == ["other"], scalers


def check_conflicts(api):
    apps = client.AppsV1Api(api)
    before = apps.read_namespaced_deployment_scale("bot", NAMESPACE).metadata.resource_version
    planned = scale(apps, {"metadata": {"resourceVersion": before}, "spec": {"replicas": 5}}, dry_run="All")
    assert planned.spec.replicas == 5, planned
    assert apps.read_namespaced_deployment_scale("bot", NAMESPACE).spec.replicas == 3, "a dry run changes nothing"
    after = scale(apps, {"metadata": {"resourceVersion": before}, "spec": {"replicas": 5}})
    assert after.spec.replicas == 5 and after.metadata.resource_version != before, after
    stale = {"metadata": {"resourceVersion": before}, "spec": {"replicas": 9}}
    message = refused(409, "Conflict", lambda: scale(apps, stale))
    assert "the object has been modified" in message, message
    whole = apps.read_namespaced_deployment_scale("bot", NAMESPACE)
    whole.metadata.resource_version, whole.spec.replicas = before, 9
    refused(409, "Conflict", lambda: apps.replace_namespaced_deployment_scale("bot", NAMESPACE, whole))
    other = {"metadata": {"uid": "another"}, "spec": {"replicas": 9}}
    refused(409, "Conflict", lambda: scale(apps, other))
    assert apps.read_namespaced_deployment_scale("bot", NAMESPACE).spec.replicas == 5


def check_scaling(api):
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    assert scale(apps, {"spec": {"replicas": 0}}).spec.replicas is None, "zero is left out"
    assert core.list_namespaced_pod(NAMESPACE, label_selector="app=bot").items == []
    whole = apps.read_namespaced_deployment_scale("bot", NAMESPACE)
    whole.spec.replicas = 4
    assert apps.replace_namespaced_deployment_scale("bot", NAMESPACE, whole).spec.replicas == 4
    message = refused(422, "Invalid", lambda: scale(apps, {"spec": {"replicas": -1}}))
    assert "spec.replicas" in message, message
    assert apps.read_namespaced_deployment("bot", NAMESPACE).metadata.generation == 4


def check_custom(api):
    custom = client.CustomObjectsApi(api)
    place = ("alfred-ai.com", "v1", NAMESPACE, "agentpools", "pool")
    found = custom.get_namespaced_custom_object_scale(*place)
    assert found["kind"] == "Scale" and found["spec"]["replicas"] == 1, found
    refused(404, "NotFound", lambda: custom.get_namespaced_custom_object("x.io", "v1", NAMESPACE, "rollouts", "a"))


def check_metrics(api):
    custom = client.CustomObjectsApi(api)
    core = client.CoreV1Api(api)
    core.patch_namespaced_pod(
        core.list_namespaced_pod(NAMESPACE, label_selector="app=bot").items[0].metadata.name,
        NAMESPACE,
        {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "7"}}},
    )
    costs = [
        (pod.metadata.annotations or {}).get("controller.kubernetes.io/pod-deletion-cost")
        for pod in core.list_namespaced_pod(NAMESPACE, label_selector="app=bot").items
    ]
    assert costs.count("7") == 1, costs
    # The pods that were measured are gone by now.
    found = custom.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", NAMESPACE, "pods")
    assert found["kind"] == "PodMetricsList" and found["items"] == [], found


def check_watch(api):
    apps = client.AppsV1Api(api)
    version = apps.list_namespaced_deployment(NAMESPACE).metadata.resource_version
    timer = threading.Timer(0.2, lambda: scale(apps, {"spec": {"replicas": 2}}))
    timer.start()
    watcher = watch.Watch()
    events = watcher.stream(
        apps.list_namespaced_deployment, NAMESPACE, resource_version=version, timeout_seconds=SECONDS
    )
    for event in events:
        assert event["type"] == "MODIFIED", event
        if event["object"].status.replicas == 2:
            watcher.stop()
    timer.join()


def check_deployments(api):
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    conditions = {one.type: one.status for one in apps.read_namespaced_deployment("bot", NAMESPACE).status.conditions}
    assert conditions == {"Available": "True", "Progressing": "True"}, conditions
    labels = {"app": "new", "revision": "2"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "alfred/bot:2"}]}}
    body = {"metadata": {"name": "new"}, "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}}
    made = apps.create_namespaced_deployment(NAMESPACE, body)
    assert (made.metadata.generation, made.spec.replicas, made.metadata.namespace) == (1, 2, NAMESPACE), made
    assert len(core.list_namespaced_pod(NAMESPACE, label_selector="app=new,revision=2").items) == 2
    assert core.list_namespaced_pod(NAMESPACE, label_selector="app=new,!revision").items == []
    refused(409, "AlreadyExists", lambda: apps.create_namespaced_deployment(NAMESPACE, body))
    other = {**body, "metadata": {"name": "other"}, "spec": {**body["spec"], "selector": {"matchLabels": {"app": "x"}}}}
    message = refused(422, "Invalid", lambda: apps.create_namespaced_deployment(NAMESPACE, other))
    assert "spec.template.metadata.labels" in message, message
    known = {**body, "metadata": {"name": "other", "resourceVersion": "1"}}
    refused(500, "InternalError", lambda: apps.create_namespaced_deployment(NAMESPACE, known))
    narrow = {"spec": {"selector": {"matchLabels": {"app": "y"}}}}
    refused(422, "Invalid", lambda: apps.patch_namespaced_deployment("new", NAMESPACE, narrow))
    now = apps.read_namespaced_deployment("new", NAMESPACE).metadata
    condition = lambda **what: client.V1DeleteOptions(preconditions=client.V1Preconditions(**what))
    delete = lambda options: apps.delete_namespaced_deployment("new", NAMESPACE, body=options)
    refused(409, "Conflict", lambda: delete(condition(uid="another")))
    refused(409, "Conflict", lambda: delete(condition(uid=now.uid, resource_version=made.metadata.resource_version)))
    done = delete(condition(uid=now.uid, resource_version=now.resource_version))
    assert said(done) == ("Status", "Success", "new"), done
    assert core.list_namespaced_pod(NAMESPACE, label_selector="app=new").items == [], "it takes its pods along"
    refused(404, "NotFound", lambda: delete(None))


def check_services(api):
    core = client.CoreV1Api(api)
    service = core.read_namespaced_service("front", NAMESPACE)
    assert (service.spec.selector, service.spec.ports[0].port) == ({"app": "bot"}, 80), service
    version = service.metadata.resource_version
    note = lambda text: {"metadata": {"resourceVersion": version, "annotations": {"note": text}}}
    patched = core.patch_namespaced_service("front", NAMESPACE, note("1"))
    assert patched.metadata.annotations == {"note": "1"} and patched.metadata.resource_version != version, patched
    refused(409, "Conflict", lambda: core.patch_namespaced_service("front", NAMESPACE, note("2")))
    made = core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "notes"}, "data": {"a": "b"}})
    assert made.data == {"a": "b"} and made.metadata.resource_version, made
    refused(409, "AlreadyExists", lambda: core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "notes"}}))
    assert said(core.delete_namespaced_config_map("notes", NAMESPACE)) == ("Status", "Success", "notes")


def check_discovery(api):
    groups = {group.name for group in client.ApisApi(api).get_api_versions().groups}
    assert groups == {"apps", "autoscaling", "batch", "metrics.k8s.io", "alfred-ai.com"}, groups
    names = {found.name for found in client.AppsV1Api(api).get_api_resources().resources}
    assert {"deployments", "deployments/scale", "statefulsets/scale"} <= names, names
    assert client.VersionApi(api).get_code().major == "1"


def main():
    api = client.ApiClient(client.Configuration(host=sys.argv[1]))
    checks = [
        check_read,
        check_lists,
        check_conflicts,
        check_scaling,
        check_custom,
        check_metrics,
        check_watch,
        check_deployments,
        check_services,
        check_discovery,
    ]
    for check in checks:
        check(api)
    print(f"{len(checks)} checks passed")


if __name__ == "__main__":
    main()
