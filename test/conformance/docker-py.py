"""What docker-py (https://docker-py.readthedocs.io) documents of itself, against the Docker API at DOCKER_HOST.

Each function below is one behaviour; its name is what it claims. One line is printed for each: "ok NAME" or "not ok NAME: why".
"""

import io
import itertools
import json
import sys
import tarfile
import threading
import time
import traceback

import docker
from docker.errors import APIError, BuildError, ContainerError, ImageNotFound, NotFound
from docker.types import (
    EndpointConfig,
    Healthcheck,
    IPAMConfig,
    IPAMPool,
    LogConfig,
    Mount,
    Ulimit,
)

IMAGE = "public.ecr.aws/docker/library/busybox:latest"
client = docker.from_env()
api = client.api
numbers = itertools.count()


def name():
    return f"py{next(numbers)}"


def started(command="sleep 1000", **options):
    return client.containers.run(IMAGE, command, detach=True, name=name(), **options)


def refused(kind, call, status=None):
    try:
        call()
    except kind as error:
        if status is not None:
            assert error.response.status_code == status, error
        return error
    raise AssertionError(f"{call} was not refused")


def ping_version_info_df():
    assert client.ping() is True
    assert client.version()["ApiVersion"] == "1.51"
    assert client.info()["OSType"] == "linux"
    assert set(client.df()) >= {"Images", "Containers", "Volumes"}


def run_returns_output():
    assert client.containers.run(IMAGE, ["echo", "hello"], remove=True) == b"hello\n"
    both = client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stdout=True, stderr=True)
    assert sorted(both.split()) == [b"err", b"out"]


def run_that_fails_raises_with_its_status_and_stderr():
    error = refused(ContainerError, lambda: client.containers.run(IMAGE, ["sh", "-c", "echo why >&2; exit 3"], remove=True))
    assert error.exit_status == 3 and b"why" in error.stderr, error


def run_streams_lines():
    lines = client.containers.run(IMAGE, ["sh", "-c", "for i in 1 2 3; do echo $i; done"], stream=True, detach=False)
    assert b"".join(lines) == b"1\n2\n3\n"


def missing_images_are_image_not_found():
    refused(ImageNotFound, lambda: client.images.get("nobody/nothing:1"), 404)
    refused(ImageNotFound, lambda: client.containers.create("nobody/nothing:1"), 404)


def container_attributes_and_life():
    container = started(labels={"of": "test"}, environment={"A": "b"})
    assert container.status == "created" or container.status == "running"
    container.reload()
    assert container.status == "running" and container.labels["of"] == "test"
    assert container.short_id == container.id[:12] and container.image.tags == [IMAGE]
    container.pause(); container.reload(); assert container.status == "paused"
    container.unpause(); container.rename(f"{container.name}x"); container.reload()
    assert client.containers.get(container.name).id == container.id
    container.kill("SIGKILL")
    assert container.wait()["StatusCode"] == 137
    container.start(); container.restart(timeout=0); container.stop(timeout=0); container.reload()
    assert container.status == "exited"
    container.remove()
    refused(NotFound, container.reload, 404)


def lists_and_filters():
    one, other = started(labels={"k": "v"}), started()
    assert [found.id for found in client.containers.list(filters={"label": "k=v"})] == [one.id]
    assert {found.id for found in client.containers.list()} >= {one.id, other.id}
    one.kill()
    one.wait()
    assert [found.id for found in client.containers.list(all=True, filters={"status": "exited", "name": one.name})] == [one.id]
    assert client.containers.list(all=True, limit=1)[0].id == other.id
    for each in one, other:
        each.remove(force=True)
    pruned = started("true"); pruned.wait()
    assert pruned.id in client.containers.prune()["ContainersDeleted"]


def exec_run_demultiplexes_streams_and_tells_exit_codes():
    container = started()
    assert container.exec_run("echo hi") == (0, b"hi\n")
    code, (out, err) = container.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True)
    assert (code, out, err) == (4, b"o\n", b"e\n")
    code, stream = container.exec_run(["sh", "-c", "echo 1; echo 2"], stream=True)
    assert code is None and b"".join(stream) == b"1\n2\n"
    assert container.exec_run("id -u", user="1000").output == b"1000\n"
    assert container.exec_run("pwd", workdir="/tmp", environment=["X=y"]).output == b"/tmp\n"
    assert not any(container.exec_run("true", detach=True))
    assert b"a tty" in container.exec_run(["sh", "-c", "test -t 1 && echo a tty"], tty=True).output
    assert container.exec_run("no-such-command").exit_code == 127
    created = api.exec_create(container.id, ["cat"], stdin=True)["Id"]
    connection = api.exec_start(created, socket=True)
    raw = getattr(connection, "_sock", connection)
    raw.sendall(b"typed\n"); raw.shutdown(1)
    read = b""
    while chunk := raw.recv(4096):
        read += chunk
    assert read.endswith(b"typed\n") and read[0] == 1, read
    assert api.exec_inspect(created)["ExitCode"] == 0
    container.remove(force=True)


def logs_are_bytes_or_a_generator():
    container = started(["sh", "-c", "echo one; echo two >&2; echo three"])
    container.wait()
    assert sorted(container.logs().split()) == [b"one", b"three", b"two"]
    assert len(container.logs(tail=1).splitlines()) == 1
    assert b"Z one" in container.logs(timestamps=True, stdout=True, stderr=False)
    assert list(container.logs(stream=True, stderr=False)) and b"".join(container.logs(stream=True, follow=True, stderr=False)) == b"one\nthree\n"
    assert container.logs(since=int(time.time()) + 100) == b""
    container.remove()


def attach_streams_and_takes_input():
    container = client.containers.create(IMAGE, ["sh", "-c", "read x; echo got $x"], stdin_open=True, name=name())
    connection = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    raw = getattr(connection, "_sock", connection)
    raw.sendall(b"word\n")
    read = b""
    while chunk := raw.recv(4096):
        read += chunk
    assert read.endswith(b"got word\n"), read
    container.remove()


def archives_go_both_ways():
    container = started()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("put.txt"); entry.size = 4
        tar.addfile(entry, io.BytesIO(b"body"))
    assert container.put_archive("/tmp", packed.getvalue()) is True
    chunks, stat = container.get_archive("/tmp/put.txt")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert tar.extractfile("put.txt").read() == b"body" and stat["size"] == 4
    assert {"Path": "/tmp/put.txt", "Kind": 1} in container.diff()
    refused(NotFound, lambda: container.get_archive("/nowhere"), 404)
    exported = tarfile.open(fileobj=io.BytesIO(b"".join(container.export())))
    assert "tmp/put.txt" in exported.getnames()
    container.remove(force=True)


def stats_top_and_update():
    container = started(mem_limit="64m")
    assert container.stats(stream=False)["memory_stats"]["limit"] == 64 << 20
    assert next(container.stats(decode=True, stream=True))["id"] == container.id
    assert "CMD" in container.top()["Titles"][-1] or container.top()["Titles"][-1] == "COMMAND"
    container.update(mem_limit="96m", memswap_limit=-1); container.reload()
    assert container.attrs["HostConfig"]["Memory"] == 96 << 20
    container.remove(force=True)


def waits_have_conditions():
    container = client.containers.create(IMAGE, "sh -c 'exit 5'", name=name())
    waited = []
    waiter = threading.Thread(target=lambda: waited.append(docker.from_env().api.wait(container.id, condition="next-exit")))
    waiter.start()
    time.sleep(0.2)  # nothing tells that the other call has come
    container.start()
    waiter.join(10)
    assert waited and waited[0]["StatusCode"] == 5, waited
    container.remove()


def host_options_reach_the_container():
    # Soft and hard limit alike: runc built with Go 1.19 lets the one rise to the other in an exec, now and then (opencontainers/runc issue 4195).
    container = started(
        cap_add=["NET_ADMIN"], cap_drop=["CHOWN"], read_only=True, tmpfs={"/t": "size=1m"}, hostname="h1", domainname="ex.org",
        ulimits=[Ulimit(name="nofile", soft=100, hard=100)], sysctls={"net.core.somaxconn": "77"}, shm_size="8m", pids_limit=20,
        extra_hosts={"there": "10.1.2.3"}, dns=["192.0.2.53"], dns_search=["ex.org"], working_dir="/tmp", user="1000:1000",
        group_add=["2000"], security_opt=["no-new-privileges"], devices=["/dev/zero:/dev/z:r"], init=False, cpu_shares=512, nano_cpus=500_000_000,
        healthcheck=Healthcheck(test=["CMD", "true"], interval=200_000_000), log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
        mounts=[Mount("/m", None, type="tmpfs", tmpfs_size=1 << 20)], restart_policy={"Name": "on-failure", "MaximumRetryCount": 2},
        volumes={"/etc/hostname": {"bind": "/host-name", "mode": "ro"}}, ports={"80/tcp": ("127.0.0.1", None), "81/udp": None},
    )
    shell = lambda line: container.exec_run(["sh", "-c", line]).output.decode().strip()
    assert shell("hostname; ulimit -n; id -u; pwd; cat /proc/sys/net/core/somaxconn") == "h1\n100\n1000\n/tmp\n77"
    assert "10.1.2.3\tthere" in shell("cat /etc/hosts") and "192.0.2.53" in shell("cat /etc/resolv.conf")
    assert "Read-only" in shell("touch /x 2>&1") and "2000" in shell("id -G") and shell("test -e /dev/z && grep -c ' /m ' /proc/mounts") == "1"
    for _ in range(100):
        container.reload()
        if container.health == "healthy":
            break
        time.sleep(0.05)  # docker-py has no call that waits for health
    assert container.health == "healthy" and container.ports["80/tcp"][0]["HostIp"] == "127.0.0.1" and container.ports["81/udp"]
    container.remove(force=True)


def images_are_built_from_a_path_or_a_file_object():
    dockerfile = f"FROM {IMAGE}\nARG WHO=nobody\nLABEL made=here\nRUN echo $WHO > /who\nCMD cat /who\n".encode()
    image, log = client.images.build(fileobj=io.BytesIO(dockerfile), buildargs={"WHO": "me"}, tag="built:1", labels={"l": "1"}, rm=True)
    assert any("Successfully built" in entry.get("stream", "") for entry in log) and image.labels == {"made": "here", "l": "1"}
    assert client.containers.run("built:1", remove=True) == b"me\n"
    assert image.history()[0]["CreatedBy"] and image.tags == ["built:1"]
    error = refused(BuildError, lambda: client.images.build(fileobj=io.BytesIO(f"FROM {IMAGE}\nRUN exit 9\n".encode())))
    assert "9" in error.msg and list(error.build_log)
    refused((BuildError, APIError), lambda: client.images.build(fileobj=io.BytesIO(b"FROM scratch\nRUNN x\n")))
    assert image.tag("built", "2") is True and client.images.get("built:2").id == image.id
    client.images.remove("built:1"); client.images.remove("built:2")
    refused(ImageNotFound, lambda: client.images.get("built:1"))


def images_are_saved_loaded_imported_committed_pruned():
    container = started(["sh", "-c", "echo kept > /kept"]); container.wait()
    committed = container.commit("committed", "1", message="why", author="who", changes="CMD cat /kept")
    assert client.containers.run("committed:1", remove=True) == b"kept\n" and committed.attrs["Author"] == "who"
    saved = b"".join(committed.save(named=True))
    container.remove()
    client.images.remove("committed:1")
    assert client.images.load(saved)[0].tags == ["committed:1"]
    exported = started("true"); exported.wait()
    assert "sha256:" in str(api.import_image_from_data(b"".join(exported.export()), "imported", "1"))
    exported.remove()
    assert [image.tags for image in client.images.list("imported")] == [["imported:1"]]
    client.images.remove("imported:1"); client.images.remove("committed:1")
    assert set(client.images.prune()) == {"ImagesDeleted", "SpaceReclaimed"}
    assert client.api.prune_builds()["SpaceReclaimed"] >= 0


def pulls_tell_progress_and_give_the_image():
    assert client.images.pull(IMAGE.split(":")[0], tag="latest").tags == [IMAGE]
    assert any("status" in line for line in api.pull(IMAGE, stream=True, decode=True))
    refused(NotFound, lambda: client.images.pull("public.ecr.aws/nobody/nothing", tag="1"), 404)
    assert client.images.get_registry_data(IMAGE).has_platform("linux/amd64") in (True, False)


def networks_with_addresses_and_aliases():
    network = client.networks.create(name(), driver="bridge", ipam=IPAMConfig(pool_configs=[IPAMPool(subnet="10.231.7.0/24", gateway="10.231.7.1")]), labels={"n": "1"}, internal=False)
    container = started()
    network.connect(container, aliases=["called"], ipv4_address="10.231.7.9")
    network.reload()
    assert network.containers == [container] and network.attrs["Labels"] == {"n": "1"}
    seen = client.containers.run(IMAGE, "nslookup called", network=network.name, remove=True)
    assert b"10.231.7.9" in seen
    other = client.containers.create(IMAGE, "true", name=name(), network=network.name, networking_config={network.name: EndpointConfig("1.51", ipv4_address="10.231.7.20")})
    other.start(); other.wait(); other.remove()
    refused(APIError, network.remove, 403)
    network.disconnect(container)
    container.remove(force=True)
    network.remove()
    refused(NotFound, network.reload, 404)
    assert client.networks.list(names=["bridge"])[0].name == "bridge" and "NetworksDeleted" in client.networks.prune()


def volumes_hold_what_is_written():
    volume = client.volumes.create(name(), labels={"v": "1"})
    client.containers.run(IMAGE, "sh -c 'echo x > /v/f'", volumes={volume.name: {"bind": "/v", "mode": "rw"}}, remove=True)
    assert client.containers.run(IMAGE, "cat /v/f", volumes=[f"{volume.name}:/v:ro"], remove=True) == b"x\n"
    assert [found.id for found in client.volumes.list(filters={"label": "v=1"})] == [volume.id]
    volume.remove()
    refused(NotFound, lambda: client.volumes.get(volume.name), 404)
    assert "VolumesDeleted" in client.volumes.prune()


def events_are_a_generator_with_filters():
    since = int(time.time())
    container = started("true", labels={"watched": "1"}); container.wait(); container.remove()
    found = list(client.events(since=since - 1, until=int(time.time()) + 1, decode=True, filters={"type": "container", "label": "watched=1"}))
    assert [event["Action"] for event in found] == ["create", "start", "die", "destroy"], [event["Action"] for event in found]
    stream = client.events(decode=True, filters={"event": "create"})
    thread = threading.Timer(0.2, lambda: docker.from_env().containers.create(IMAGE, "true", name="watched").remove())
    thread.start()
    event = next(stream)
    assert event["Actor"]["Attributes"]["name"] == "watched"
    stream.close()
    thread.join()


def swarm_and_plugins_are_refused_as_docker_refuses_them():
    assert "not a swarm manager" in str(refused(APIError, client.services.list, 503))
    refused(APIError, client.nodes.list, 503)
    refused(APIError, lambda: client.secrets.list(), 503)
    refused(APIError, lambda: client.swarm.init(), 501)
    assert client.swarm.attrs == {} or refused(APIError, client.swarm.reload, 503)
    assert client.plugins.list() == []
    refused(NotFound, lambda: client.plugins.get("x"), 404)


def conflicts_and_bad_input_have_their_status():
    container = started()
    refused(APIError, lambda: client.containers.create(IMAGE, name=container.name), 409)
    refused(APIError, container.remove, 409)
    refused(APIError, lambda: client.containers.create(IMAGE, name="not/good"), 400)
    refused(APIError, lambda: started(cap_add=["NOT_ONE"]))
    container.remove(force=True)


def main():
    checks = [value for key, value in globals().items() if callable(value) and getattr(value, "__module__", "") == "__main__" and key not in helpers]
    for check in checks:
        try:
            check()
            print(f"ok {check.__name__}", flush=True)
        except BaseException:
            print(f"not ok {check.__name__}: {json.dumps(traceback.format_exc())}", flush=True)


helpers = {"name", "started", "refused", "main"}
if __name__ == "__main__":
    main()
    sys.exit(0)
