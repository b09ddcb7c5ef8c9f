"""Holds Qdrant's own Python client against the cluster of this crate's tests.

Usage: check_qdrant.py ENDPOINT

The client is the judge: it parses every answer strictly and turns every error into its own exception. The
cluster has three peers and a collection `docs` of two shards, both on peers 1 and 2, where it leaves them; peer 3 is
then out of the cluster.
"""

import sys
from urllib.parse import urlsplit

from qdrant_client import models
from qdrant_client.http import ApiClient, SyncApis
from qdrant_client.http.exceptions import UnexpectedResponse

SECONDS = 20


def connect(endpoint):
    assert urlsplit(endpoint).scheme == "http"
    apis = SyncApis(host=endpoint, timeout=SECONDS)
    assert isinstance(apis.distributed_api.api_client, ApiClient)
    return apis


def refused(status, part, call):
    try:
        call()
    except UnexpectedResponse as error:
        assert error.status_code == status, error
        assert part in error.content.decode(), error
        return
    raise AssertionError(f"{part!r} was not refused")


def operate(apis, operation, name="docs"):
    answer = apis.distributed_api.update_collection_cluster(name, cluster_operations=operation)
    assert answer.result is True and answer.status == "ok", answer


def info(apis):
    return apis.distributed_api.collection_cluster_info("docs").result


def replicas(apis):
    told = info(apis)
    found = {(shard.shard_id, told.peer_id): shard.state.value for shard in told.local_shards}
    found.update({(shard.shard_id, shard.peer_id): shard.state.value for shard in told.remote_shards})
    return found


def step(apis):
    return apis.distributed_api.cluster_status().result


def check_reads(apis):
    status = step(apis)
    assert status.status == "enabled" and status.peer_id == 1, status
    assert sorted(status.peers) == ["1", "2", "3"] and status.raft_info.leader == 1, status
    assert status.message_send_failures == {}, status
    names = [found.name for found in apis.collections_api.get_collections().result.collections]
    assert names == ["docs"], names
    params = apis.collections_api.get_collection("docs").result.config.params
    assert (params.shard_number, params.replication_factor, params.write_consistency_factor) == (2, 2, 1), params
    told = info(apis)
    assert told.shard_count == 2 and told.shard_transfers == [], told
    assert replicas(apis) == {(0, 1): "Active", (0, 2): "Active", (1, 1): "Active", (1, 2): "Active"}
    refused(404, "doesn't exist", lambda: apis.distributed_api.collection_cluster_info("nothing"))


def check_move(apis):
    move = models.MoveShardOperation(move_shard=models.MoveShard(shard_id=0, from_peer_id=2, to_peer_id=3))
    operate(apis, move)
    (transfer,) = info(apis).shard_transfers
    assert (transfer.shard_id, transfer.from_, transfer.to, transfer.sync) == (0, 2, 3, False), transfer
    assert replicas(apis)[(0, 3)] == "Partial" and replicas(apis)[(0, 2)] == "Active"
    refused(400, "already involved", lambda: operate(apis, move))
    step(apis), step(apis)
    assert (0, 2) not in replicas(apis) and replicas(apis)[(0, 3)] == "Active"


def check_abort(apis):
    ends = {"shard_id": 1, "from_peer_id": 1, "to_peer_id": 3}
    replicate = models.ReplicateShardOperation(replicate_shard=models.ReplicateShard(**ends))
    abort = models.AbortTransferOperation(abort_transfer=models.AbortShardTransfer(**ends))
    refused(404, "does not exist", lambda: operate(apis, abort))
    operate(apis, replicate)
    (transfer,) = info(apis).shard_transfers
    assert transfer.sync and transfer.method.value == "stream_records" and transfer.comment, transfer
    operate(apis, abort)
    assert replicas(apis)[(1, 3)] == "Dead" and info(apis).shard_transfers == []


def check_refusals(apis):
    def move(shard, source, target):
        ends = models.MoveShard(shard_id=shard, from_peer_id=source, to_peer_id=target)
        return lambda: operate(apis, models.MoveShardOperation(move_shard=ends))

    refused(400, "does not exist", move(9, 1, 3))
    refused(400, "Peer 9 does not exist", move(0, 1, 9))
    refused(400, "is not active", move(1, 3, 2))
    refused(400, "must differ", move(0, 1, 1))
    refused(400, "as there are shards on it", lambda: apis.distributed_api.remove_peer(3))


def check_drop(apis):
    def drop(shard, peer):
        replica = models.Replica(shard_id=shard, peer_id=peer)
        operate(apis, models.DropReplicaOperation(drop_replica=replica))

    drop(1, 3)
    move = models.MoveShard(shard_id=0, from_peer_id=3, to_peer_id=2)
    operate(apis, models.MoveShardOperation(move_shard=move))
    step(apis), step(apis)
    refused(400, "has no replica", lambda: drop(0, 3))
    answer = apis.distributed_api.remove_peer(3)
    assert answer.result is True, answer
    assert sorted(step(apis).peers) == ["1", "2"]


def main():
    apis = connect(sys.argv[1])
    checks = [check_reads, check_move, check_abort, check_refusals, check_drop]
    for check in checks:
        check(apis)
    print(f"{len(checks)} checks passed")


if __name__ == "__main__":
    main()
