"""Holds Google's own Cloud Run client against the Admin API server of this crate's tests.

Usage: check_cloud_run.py ENDPOINT

The client is the judge: it parses every answer strictly and turns every error into its own exception.
Leaves the service `python` of projects/alfred/locations/europe-west1 at 7 instances.
"""

import json
import sys
import urllib.error
import urllib.request

from google.api_core import exceptions, operations_v1
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.protobuf.field_mask_pb2 import FieldMask

LOCATION = "projects/alfred/locations/europe-west1"
NAME = f"{LOCATION}/services/python"
IMAGE = "gcr.io/cloudrun/hello"
SECONDS = 20


def connect(endpoint):
    client = run_v2.ServicesClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options=ClientOptions(api_endpoint=endpoint),
    )
    # Operations are asked for at the same plain-HTTP endpoint.
    assert isinstance(client.transport.operations_client, operations_v1.AbstractOperationsClient)
    return client


def service(name="", image=IMAGE, etag="", **scaling):
    return run_v2.Service(
        name=name,
        etag=etag,
        template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)]),
        scaling=run_v2.ServiceScaling(**scaling),
    )


def update(client, change, paths=(), **request):
    mask = FieldMask(paths=paths) if paths else None
    request = run_v2.UpdateServiceRequest(service=change, update_mask=mask, **request)
    return client.update_service(request=request, timeout=SECONDS).result(timeout=SECONDS)


def get(client, name=NAME):
    return client.get_service(name=name, timeout=SECONDS)


def refused(wanted, call):
    try:
        call()
    except wanted as error:
        return str(error)
    raise AssertionError(f"{wanted.__name__} was not raised")


def create(client, service_id, change, validate_only=False):
    request = run_v2.CreateServiceRequest(
        parent=LOCATION, service_id=service_id, service=change, validate_only=validate_only
    )
    return client.create_service(request=request, timeout=SECONDS).result(timeout=SECONDS)


def check_create(client):
    refused(exceptions.NotFound, lambda: get(client))
    create(client, "python", service(), validate_only=True)
    refused(exceptions.NotFound, lambda: get(client))
    ingress = run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
    wanted = service(min_instance_count=1)
    wanted.ingress = ingress
    created = create(client, "python", wanted)
    assert created.name == NAME and created.etag, created
    found = get(client)
    assert found == created, (found, created)
    assert found.generation == 1 and found.observed_generation == 1 and not found.reconciling, found
    assert found.ingress == ingress and found.scaling.min_instance_count == 1, found
    assert found.template.containers[0].image == IMAGE, found
    assert found.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED, found
    refused(exceptions.Conflict, lambda: create(client, "python", service()))
    refused(exceptions.BadRequest, lambda: create(client, "No Name", service()))
    refused(exceptions.BadRequest, lambda: create(client, "empty", run_v2.Service()))


def check_list(client):
    for number in range(4):
        create(client, f"other-{number}", service())
    request = run_v2.ListServicesRequest(parent=LOCATION, page_size=2)
    names = [found.name.rsplit("/", 1)[1] for found in client.list_services(request=request, timeout=SECONDS)]
    assert names == ["other-0", "other-1", "other-2", "other-3", "python"], names
    pages = list(client.list_services(request=request, timeout=SECONDS).pages)
    assert [len(page.services) for page in pages] == [2, 2, 1], pages


def check_scaling(client):
    before = get(client)
    planned = update(
        client, service(NAME, min_instance_count=5), ["scaling.min_instance_count"], validate_only=True
    )
    assert planned.scaling.min_instance_count == 5, planned
    assert get(client) == before, "a dry run changes nothing"

    # Only the masked field is taken over: not the image.
    change = service(NAME, image="other", etag=before.etag, min_instance_count=5)
    after = update(client, change, ["scaling.min_instance_count"])
    assert after.scaling.min_instance_count == 5 and after.template == before.template, after
    assert after.etag != before.etag and after.generation == before.generation + 1, after
    assert after.latest_ready_revision == before.latest_ready_revision, "scaling makes no revision"

    message = refused(
        exceptions.Conflict, lambda: update(client, change, ["scaling.min_instance_count"])
    )
    assert "409" in message and "etag" in message, message
    for count in (-1, 1001):
        absurd = service(NAME, min_instance_count=count)
        refused(
            exceptions.BadRequest, lambda: update(client, absurd, ["scaling.min_instance_count"])
        )
    refused(exceptions.BadRequest, lambda: update(client, service(NAME), ["uid"]))
    assert get(client) == after, "what was refused has changed nothing"

    cleared = update(client, service(NAME), ["scaling.min_instance_count"])
    assert cleared.scaling.min_instance_count == 0, cleared
    manual = run_v2.ServiceScaling.ScalingMode.MANUAL
    change = service(NAME, scaling_mode=manual, manual_instance_count=0)
    stopped = update(client, change, ["scaling.scaling_mode", "scaling.manual_instance_count"])
    assert stopped.scaling.scaling_mode == manual and "manual_instance_count" in stopped.scaling, stopped


def check_template(client):
    before = get(client)
    after = update(client, service(NAME, image="gcr.io/alfred/bot"), ["template"])
    assert after.latest_ready_revision != before.latest_ready_revision, "a template makes a revision"
    assert after.scaling == before.scaling, after

    # Without a mask all that a client may write is replaced.
    replaced = update(client, service(NAME, image="gcr.io/alfred/bot", min_instance_count=7))
    assert replaced.latest_ready_revision == after.latest_ready_revision, replaced
    assert replaced.scaling == run_v2.ServiceScaling(min_instance_count=7), replaced
    assert replaced.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_UNSPECIFIED, replaced


def check_allow_missing(client):
    name = f"{LOCATION}/services/late"
    refused(exceptions.NotFound, lambda: update(client, service(name)))
    made = update(client, service(name, min_instance_count=2), allow_missing=True)
    assert made.name == name and made.scaling.min_instance_count == 2 and made.generation == 1, made


def raw(path, method="GET", body=None):
    """What is on the wire: clients accept more than one form of it."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{sys.argv[1]}/v2/{path}", data, {"content-type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        refusal = json.load(error)["error"]
        assert refusal["code"] == error.code and refusal["message"], refusal
        return refusal["status"]


def check_wire(client):
    plain, numbers = raw(NAME), raw(f"{NAME}?$alt=json;enum-encoding=int")
    assert plain["terminalCondition"]["state"] == "CONDITION_SUCCEEDED", plain
    assert numbers["terminalCondition"]["state"] == 4, numbers
    assert plain["generation"] == str(get(client).generation), "64-bit numbers are text"
    manual = {"scaling": {"scalingMode": 2}}
    planned = raw(f"{NAME}?updateMask=scaling.scalingMode&validateOnly=true", "PATCH", manual)
    assert planned["response"]["scaling"]["scalingMode"] == "MANUAL", planned
    count = {"scaling": {"minInstanceCount": -1}}
    assert raw(f"{NAME}?updateMask=scaling.minInstanceCount", "PATCH", count) == "INVALID_ARGUMENT"
    assert raw(f"{NAME}?updateMask=scaling.maxInstanceCount", "PATCH", {"etag": "old"}) == "ABORTED"
    assert raw(f"{LOCATION}/services?serviceId=python", "POST", {}) == "ALREADY_EXISTS"
    assert raw(f"{LOCATION}/services/nobody") == "NOT_FOUND"
    assert raw(f"{LOCATION}/operations/nothing") == "NOT_FOUND"


def short(name):
    return name.rsplit("/", 1)[1]


def rest(kind):
    return kind(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options=ClientOptions(api_endpoint=sys.argv[1]),
    )


def check_revisions(client):
    name, revisions = f"{LOCATION}/services/web", rest(run_v2.RevisionsClient)
    made = create(client, "web", service())
    first = short(made.latest_ready_revision)
    assert made.latest_created_revision == made.latest_ready_revision == f"{name}/revisions/{first}", made
    assert [(status.revision, status.percent) for status in made.traffic_statuses] == [(first, 100)], made

    def named(suffix, image="gcr.io/alfred/web", **traffic):
        change = service(name, image=image, **traffic)
        change.template.revision = suffix
        return change

    for suffix in ("other-1", "web", "web-", "web-A", "web-" + "1" * 60):
        refused(exceptions.BadRequest, lambda: update(client, named(suffix), ["template"]))
    assert get(client, name) == made, "what was refused has changed nothing"
    after = update(client, named("web-2"), ["template"])
    assert short(after.latest_created_revision) == short(after.latest_ready_revision) == "web-2", after
    assert after.template.revision == "web-2", after
    again = update(client, named("web-2"), ["template"])
    assert again.latest_created_revision == after.latest_created_revision, "nothing new, no revision"
    message = refused(exceptions.Conflict, lambda: update(client, named("web-2", "other"), ["template"]))
    assert "different configuration" in message, message
    for number in range(3, 6):
        update(client, named(f"web-{number}", f"gcr.io/alfred/web:{number}"), ["template"])

    listed = list(revisions.list_revisions(parent=name, timeout=SECONDS))
    newest_first = ["web-5", "web-4", "web-3", "web-2", first]
    assert [short(revision.name) for revision in listed] == newest_first, listed
    request = run_v2.ListRevisionsRequest(parent=name, page_size=2)
    pages = list(revisions.list_revisions(request=request, timeout=SECONDS).pages)
    assert [len(page.revisions) for page in pages] == [2, 2, 1], pages
    found = revisions.get_revision(name=f"{name}/revisions/web-4", timeout=SECONDS)
    assert found == listed[1] and found.service == "web", found
    assert found.containers[0].image == "gcr.io/alfred/web:4", found
    ready = [condition for condition in found.conditions if condition.type_ == "Ready"]
    assert [condition.state for condition in ready] == [run_v2.Condition.State.CONDITION_SUCCEEDED], found

    def delete(revision, **request):
        request = run_v2.DeleteRevisionRequest(name=f"{name}/revisions/{revision}", **request)
        return revisions.delete_revision(request=request, timeout=SECONDS).result(timeout=SECONDS)

    refused(exceptions.NotFound, lambda: delete("web-9"))
    refused(exceptions.Conflict, lambda: delete("web-4", etag="old"))
    # A failed precondition is a bad request over HTTP.
    message = refused(exceptions.BadRequest, lambda: delete("web-5"))
    assert "able to receive traffic" in message, message
    delete("web-4", validate_only=True)
    assert delete("web-4", etag=found.etag).name == found.name
    refused(exceptions.NotFound, lambda: revisions.get_revision(name=found.name, timeout=SECONDS))


def check_traffic(client):
    name, revisions = f"{LOCATION}/services/web", rest(run_v2.RevisionsClient)
    to = run_v2.TrafficTargetAllocationType
    latest, one = to.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, to.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION

    def split(*entries, etag=""):
        change = run_v2.Service(name=name, etag=etag)
        for kind, revision, percent, tag in entries:
            change.traffic.append(run_v2.TrafficTarget(type_=kind, revision=revision, percent=percent, tag=tag))
        return update(client, change, ["traffic"])

    before = get(client, name)
    after = split((one, "web-2", 90, ""), (one, "web-3", 10, "next"), (latest, "", 0, "newest"), etag=before.etag)
    shares = [(status.revision, status.percent, status.tag) for status in after.traffic_statuses]
    assert shares == [("web-2", 90, ""), ("web-3", 10, "next"), ("web-5", 0, "newest")], after
    assert after.template == before.template and after.latest_created_revision == before.latest_created_revision
    assert [entry.type_ for entry in after.traffic] == [one, one, latest], after
    refused(exceptions.Conflict, lambda: split((one, "web-2", 100, ""), etag=before.etag))
    for wrong in (
        [(one, "web-2", 90, "")],
        [(one, "web-2", 110, ""), (one, "web-3", -10, "")],
        [(one, "web-4", 100, "")],
        [(latest, "web-2", 100, "")],
        [(to.TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED, "web-2", 100, "")],
        [(one, "web-2", 50, "a"), (one, "web-3", 50, "a")],
    ):
        refused(exceptions.BadRequest, lambda: split(*wrong))
    assert get(client, name) == after, "what was refused has changed nothing"
    # Whoever has traffic, or could get some by a tag, stays.
    for revision in ("web-2", "web-3", "web-5"):
        call = {"name": f"{name}/revisions/{revision}", "timeout": SECONDS}
        assert "able to receive" in refused(exceptions.BadRequest, lambda: revisions.delete_revision(**call))
    # With named revisions a new one gets nothing; without a split it gets everything.
    deployed = update(client, service(name, image="gcr.io/alfred/web:6"), ["template"])
    assert [(share.revision, share.percent) for share in deployed.traffic_statuses][:1] == [("web-2", 90)], deployed
    newest = {"name": deployed.latest_created_revision, "timeout": SECONDS}
    split((one, "web-2", 100, ""))
    assert "is the latest" in refused(exceptions.BadRequest, lambda: revisions.delete_revision(**newest))
    everything = split()
    newest = short(everything.latest_ready_revision)
    assert [(share.revision, share.percent) for share in everything.traffic_statuses] == [(newest, 100)], everything


def check_worker_pool(_):
    client = rest(run_v2.WorkerPoolsClient)
    name = f"{LOCATION}/workerPools/pullers"

    def pool(name="", etag="", **scaling):
        return run_v2.WorkerPool(
            name=name,
            etag=etag,
            template=run_v2.WorkerPoolRevisionTemplate(containers=[run_v2.Container(image=IMAGE)]),
            scaling=run_v2.WorkerPoolScaling(**scaling),
        )

    request = run_v2.CreateWorkerPoolRequest(
        parent=LOCATION, worker_pool_id="pullers", worker_pool=pool(manual_instance_count=1)
    )
    made = client.create_worker_pool(request=request, timeout=SECONDS).result(timeout=SECONDS)
    assert made.name == name and made.scaling.manual_instance_count == 1, made
    assert [found.name for found in client.list_worker_pools(parent=LOCATION, timeout=SECONDS)] == [name]

    def update(change, **request):
        mask = FieldMask(paths=["scaling.manual_instance_count"])
        request = run_v2.UpdateWorkerPoolRequest(worker_pool=change, update_mask=mask, **request)
        return client.update_worker_pool(request=request, timeout=SECONDS).result(timeout=SECONDS)

    planned = update(pool(name, manual_instance_count=5), validate_only=True)
    assert planned.scaling.manual_instance_count == 5, planned
    stopped = update(pool(name, etag=made.etag, manual_instance_count=0))
    assert "manual_instance_count" in stopped.scaling and stopped.scaling.manual_instance_count == 0, stopped
    assert stopped.latest_ready_revision == made.latest_ready_revision, "scaling makes no revision"
    refused(exceptions.Conflict, lambda: update(pool(name, etag=made.etag, manual_instance_count=2)))
    refused(exceptions.NotFound, lambda: update(pool(f"{name}-2", manual_instance_count=2)))


def check_instance_splits(_):
    client, revisions = rest(run_v2.WorkerPoolsClient), rest(run_v2.RevisionsClient)
    name = f"{LOCATION}/workerPools/splits"
    to = run_v2.InstanceSplitAllocationType
    latest, one = to.INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST, to.INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION

    def pool(image=IMAGE, revision="", etag="", splits=(), **fields):
        template = run_v2.WorkerPoolRevisionTemplate(revision=revision, containers=[run_v2.Container(image=image)])
        splits = [run_v2.InstanceSplit(type_=kind, revision=named, percent=percent) for kind, named, percent in splits]
        return run_v2.WorkerPool(name=name, etag=etag, template=template, instance_splits=splits, **fields)

    def update(change, *paths):
        request = run_v2.UpdateWorkerPoolRequest(worker_pool=change, update_mask=FieldMask(paths=paths))
        return client.update_worker_pool(request=request, timeout=SECONDS).result(timeout=SECONDS)

    request = run_v2.CreateWorkerPoolRequest(
        parent=LOCATION,
        worker_pool_id="splits",
        worker_pool=pool(scaling=run_v2.WorkerPoolScaling(manual_instance_count=4), annotations={"owner": "me"}),
    )
    made = client.create_worker_pool(request=request, timeout=SECONDS).result(timeout=SECONDS)
    first = short(made.latest_ready_revision)
    shares = lambda found: [(share.revision, share.percent) for share in found.instance_split_statuses]
    assert shares(made) == [(first, 100)] and not made.instance_splits, made

    # One change makes a revision, and leaves the instances with the former one.
    change = pool("gcr.io/alfred/bot", "splits-2", made.etag, [(one, first, 100)])
    after = update(change, "template", "instance_splits")
    assert short(after.latest_created_revision) == "splits-2" and shares(after) == [(first, 100)], after
    assert after.scaling == made.scaling and dict(after.annotations) == {"owner": "me"}, after
    listed = list(revisions.list_revisions(parent=name, timeout=SECONDS))
    assert [short(revision.name) for revision in listed] == ["splits-2", first], listed
    assert listed[0].containers[0].image == "gcr.io/alfred/bot", listed

    noted = pool(etag=after.etag, splits=[(one, first, 75), (one, "splits-2", 25)], annotations={"note": "5"})
    split = update(noted, "instance_splits", "annotations")
    assert shares(split) == [(first, 75), ("splits-2", 25)] and split.template == after.template, split
    assert dict(split.annotations) == {"note": "5"}, "the mask names all annotations"
    assert split.latest_created_revision == after.latest_created_revision, "a split makes no revision"
    refused(exceptions.Conflict, lambda: update(noted, "instance_splits", "annotations"))
    for wrong in ([(one, first, 90)], [(one, "splits-3", 100)], [(latest, first, 100)]):
        refused(exceptions.BadRequest, lambda: update(pool(splits=wrong), "instance_splits"))
    assert client.get_worker_pool(name=name, timeout=SECONDS) == split, "what was refused has changed nothing"
    newest = update(pool(splits=[(latest, "", 100)]), "instance_splits")
    assert shares(newest) == [("splits-2", 100)], newest
    call = {"name": f"{name}/revisions/{first}", "timeout": SECONDS}
    assert short(revisions.delete_revision(**call).result(timeout=SECONDS).name) == first


def main():
    client = connect(sys.argv[1])
    checks = [check_create, check_list, check_scaling, check_template, check_allow_missing, check_wire, check_worker_pool]
    checks += [check_revisions, check_traffic, check_instance_splits]
    for check in checks:
        check(client)
    print(f"{len(checks)} checks passed")


if __name__ == "__main__":
    main()
