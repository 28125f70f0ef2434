#!/usr/bin/env bash
# Mended: lib.sh sets pipefail, so a pipeline `docker run … | grep -q … && echo refused` yields nothing although the container was refused, because
# docker run rightly ends with the container's status. The three lines of that form now keep the status apart (`|| true` within the pipeline).
# The container engine, driven by the unmodified docker CLI: images in layers, one read/write layer per container, builds, limits,
# health, exec, networks, volumes, events, and containers that outlive the daemon.
. "${1:?the folder that holds lib.sh}/lib.sh"

step "start"; up; "$DABBA" images seed busybox --data "$DATA"
BB=public.ecr.aws/docker/library/busybox:latest
docker version --format '{{.Server.APIVersion}}' >/dev/null; docker info --format '{{.Driver}}' >/dev/null

step "run: output, exit status, environment, user, working directory, entrypoint"
want "stdout" hello "$(docker run --rm "$BB" echo hello)"
want "stderr stays apart" err "$(docker run --rm "$BB" sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
want "exit status" 7 "$(docker run --rm "$BB" sh -c 'exit 7' >/dev/null 2>&1; echo $?)"
want "not found is 127" 127 "$(docker run --rm "$BB" no-such-command >/dev/null 2>&1; echo $?)"
want "env user dir" "b 1000 /tmp" "$(docker run --rm -e A=b -u 1000 -w /tmp "$BB" sh -c 'echo $A $(id -u) $(pwd)')"
want "stdin" 6 "$(printf 'abcdef' | docker run --rm -i "$BB" wc -c | tr -d ' ')"
want "binary stdout is untouched" "$(head -c 3000000 /dev/zero | sha256sum)" "$(docker run --rm "$BB" head -c 3000000 /dev/zero | sha256sum)"

step "isolation: own processes, own root, own network, limits that bite"
want "pid 1" 1 "$(docker run --rm "$BB" sh -c 'echo $$')"
has "hostname is the id" "$(docker run -d --name host1 "$BB" sleep 60 | cut -c1-12)" "$(docker exec host1 hostname)"
want "memory limit kills" "true 137" "$(docker run --name oom -m 32m "$BB" sh -c 'tail /dev/zero' >/dev/null 2>&1 || true; docker inspect oom --format '{{.State.OOMKilled}} {{.State.ExitCode}}')"
want "pids limit" "refused" "$({ docker run --rm --pids-limit 5 "$BB" sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait' 2>&1 || true; } | grep -qi 'fork' && echo refused)"
want "read-only root" "refused" "$({ docker run --rm --read-only "$BB" sh -c 'echo x > /x' 2>&1 || true; } | grep -qi 'read-only' && echo refused)"
want "dropped capabilities" "refused" "$({ docker run --rm "$BB" sh -c 'mount -t tmpfs t /mnt' 2>&1 || true; } | grep -qiE 'permission|not permitted' && echo refused)"
want "no-network" "" "$(docker run --rm --network none "$BB" sh -c 'ip -o link | grep -v lo: || true')"
docker rm -f host1 oom >/dev/null

step "one image, many containers: only the read/write layer differs"
docker run --name w1 "$BB" sh -c 'echo one > /data; rm /bin/wc' ; docker run --name w2 "$BB" sh -c 'echo two > /data'
D1=$(docker diff w1 | sort | tr '\n' ' '); has "added" "A /data" "$D1"; has "deleted" "D /bin/wc" "$D1"
docker commit w1 derived:1 >/dev/null
want "committed content" one "$(docker run --rm derived:1 cat /data)"
want "whiteout" gone "$(docker run --rm derived:1 sh -c 'test -e /bin/wc || echo gone')"
want "base untouched" there "$(docker run --rm "$BB" sh -c 'test -e /bin/wc && test ! -e /data && echo there')"
docker rm w1 w2 >/dev/null

step "build: stages, args, cache, ignore file, heredoc, mounts"
mkdir -p "$WORK/b"; cd "$WORK/b"; echo secret > ignored.txt; echo ignored.txt > .dockerignore; echo payload > file.txt
cat > Dockerfile <<'D'
ARG BASE=public.ecr.aws/docker/library/busybox:latest
FROM ${BASE} AS build
ARG GREETING=hi
WORKDIR /out
COPY . .
RUN --mount=type=cache,target=/cache echo "$GREETING $(cat /cache/n 2>/dev/null || echo first)" > msg && echo again > /cache/n
RUN <<EOF
set -e
echo line1 > doc
echo line2 >> doc
EOF
FROM scratch AS bare
COPY --from=build /out/msg /msg
FROM ${BASE}
LABEL org.example.team=core
COPY --from=build --chown=1000:1000 --chmod=0640 /out/msg /out/doc /app/
COPY <<X /app/inline
inline text
X
ENTRYPOINT ["cat"]
CMD ["/app/msg"]
D
docker build -q -t b:1 --build-arg GREETING=hello . >/dev/null
want "message" "hello first" "$(docker run --rm b:1)"
want "heredoc" "line1 line2" "$(docker run --rm b:1 /app/doc | tr '\n' ' ' | sed 's/ $//')"
want "inline" "inline text" "$(docker run --rm b:1 /app/inline)"
want "owner and mode" "1000:1000 640" "$(docker run --rm --entrypoint stat b:1 -c '%u:%g %a' /app/msg)"
docker build -q -t b:stage --target build . >/dev/null
want "ignored file" absent "$(docker run --rm --entrypoint sh b:stage -c 'test -e /out/ignored.txt && echo present || echo absent')"
I1=$(docker build -q -t b:2 --build-arg GREETING=hello .); I2=$(docker build -q -t b:2 --build-arg GREETING=hello .); want "cached build gives the same image" "$I1" "$I2"
echo changed >> file.txt; I3=$(docker build -q -t b:3 --build-arg GREETING=hello .); [ -n "$I3" ]
want "cache mount persists" "hello again" "$(docker run --rm b:3)"
if docker build -q - <<<'FROM scratch
RUNN true' >/dev/null 2>"$WORK/err"; then fail "bad Dockerfile accepted"; fi; has "error names the line" "RUNN" "$(cat "$WORK/err")"
want "history" "true" "$(docker history -q b:3 | wc -l | awk '{print ($1>=3)?"true":"false"}')"
cd "$PROJECT"

step "save, load, export, import"
docker save b:3 -o "$WORK/b3.tar"; docker rmi -f b:3 b:2 b:1 b:stage >/dev/null; docker load -i "$WORK/b3.tar" >/dev/null
want "loaded" "hello again" "$(docker run --rm b:3)"
tar tf "$WORK/b3.tar" | grep -q index.json || fail "not an OCI layout"

step "logs, exec, attach, health, restart, wait, stats, events"
docker run -d --name svc --health-cmd 'test -e /tmp/ok' --health-interval 1s --health-retries 2 --restart on-failure:3 "$BB" sh -c 'i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.2; done' >/dev/null
ticks() { [ "$(docker logs svc | wc -l)" -ge 3 ]; }; eventually 10 ticks
has "tail" "tick" "$(docker logs --tail 1 svc)"; has "timestamps" "T" "$(docker logs -t --tail 1 svc)"
unhealthy() { [ "$(docker inspect svc --format '{{.State.Health.Status}}')" = unhealthy ]; }; eventually 15 unhealthy
docker exec svc touch /tmp/ok; healthy() { [ "$(docker inspect svc --format '{{.State.Health.Status}}')" = healthy ]; }; eventually 15 healthy
want "exec status" 3 "$(docker exec svc sh -c 'exit 3' >/dev/null 2>&1; echo $?)"
want "exec tty" "a tty" "$(script -qec 'docker exec -it svc sh -c "test -t 0 && echo a tty"' /dev/null | grep -ao 'a tty')"
has "top" sleep "$(docker top svc)"; has "stats" "iB" "$(docker stats --no-stream --format '{{.MemUsage}}' svc)"
docker run -d --name crash --restart on-failure:2 "$BB" sh -c 'exit 1' >/dev/null
restarted() { [ "$(docker inspect crash --format '{{.RestartCount}} {{.State.Running}}')" = "2 false" ]; }; eventually 30 restarted
want "wait" 1 "$(docker wait crash)"
S=$(date +%s); docker rm -f crash >/dev/null; has "events" "destroy" "$(docker events --since $((S-2)) --until $((S+3)) --filter container=crash --format '{{.Action}}')"
docker stop -t 1 svc >/dev/null; want "stopped by signal" 137 "$(docker inspect svc --format '{{.State.ExitCode}}')"; docker start svc >/dev/null; docker pause svc; docker unpause svc; docker rename svc svc2

step "networks, names, published ports, volumes, copying"
docker network create net1 >/dev/null; docker volume create v1 >/dev/null
docker run -d --name web --network net1 -p 127.0.0.1::80 -v v1:/srv "$BB" sh -c 'echo from-volume > /srv/i.html; exec httpd -f -p 80 -h /srv' >/dev/null
ADDR=$(docker port web 80 | head -1); page() { [ "$(curl -sf "http://$ADDR/i.html")" = from-volume ]; }; eventually 10 page
want "by name" from-volume "$(docker run --rm --network net1 "$BB" wget -q -O- http://web/i.html)"
if docker run --rm "$BB" timeout 2 wget -q -O- http://web/i.html >/dev/null 2>&1; then fail "networks are not apart"; fi
docker rm -f web >/dev/null; want "volume outlives" from-volume "$(docker run --rm -v v1:/x:ro "$BB" cat /x/i.html)"
echo copied > "$WORK/c"; docker cp "$WORK/c" svc2:/tmp/c; want "cp in" copied "$(docker exec svc2 cat /tmp/c)"; docker cp svc2:/tmp/c "$WORK/c2"; want "cp out" copied "$(cat "$WORK/c2")"

step "a killed daemon stops nothing, loses no output and no exit status"
docker run -d --name long "$BB" sh -c 'i=0; while [ $i -lt 60 ]; do echo n$i; i=$((i+1)); sleep 0.1; done; exit 5' >/dev/null
kill_daemons; sleep 7; up
want "exit status found" 5 "$(docker inspect long --format '{{.State.ExitCode}}')"; want "whole log" 60 "$(docker logs long | wc -l)"
want "still running" true "$(docker inspect svc2 --format '{{.State.Running}}')"

step "bad input is refused clearly"
refuses "no/such" docker run --rm no/such:image true
refuses "is already in use" docker run --name svc2 "$BB" true
mkdir "$WORK/evil" && (cd "$WORK/evil" && printf 'evil' > f && tar --absolute-names --transform 's,^f,../../../../../../tmp/dabba-escaped,' -cf "$WORK/evil.tar" f)
docker import "$WORK/evil.tar" evil:1 >/dev/null 2>&1 || true; docker run --rm evil:1 true >/dev/null 2>&1 || true
[ ! -e /tmp/dabba-escaped ] || fail "a layer wrote outside its root"

step "prune and leave nothing"
docker rm -f $(docker ps -aq) >/dev/null; docker system prune -af --volumes >/dev/null
down
if mount | grep -q "$DATA"; then fail "mounts left"; fi
if pgrep -f "$DATA" >/dev/null; then fail "processes left: $(pgrep -af "$DATA" | head -3)"; fi
