#!/usr/bin/env bash
# Mended: lib.sh sets pipefail, and `kubectl get … -o name | head -1` ends with SIGPIPE (status 141) when head leaves before kubectl has written its last line;
# `sed -n 1p` reads to the end.
# EKS from nothing to a scaled, exposed, healed workload, driven by unmodified aws and kubectl.
. "${1:?the folder that holds lib.sh}/lib.sh"
step "start"; up; "$DABBA" images seed busybox --data "$DATA"
BB=public.ecr.aws/docker/library/busybox:latest
export KUBECONFIG=$WORK/kubeconfig

step "a cluster in seconds"
VPC=$(default_vpc); SUBNETS=$(default_subnets "$VPC")
aws iam create-role --role-name eks --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["eks.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}' >/dev/null
T0=$(date +%s)
aws eks create-cluster --name c1 --role-arn arn:aws:iam::000000000000:role/eks --resources-vpc-config "subnetIds=${SUBNETS// /,}" >/dev/null
timeout 60 aws eks wait cluster-active --name c1
aws eks create-nodegroup --cluster-name c1 --nodegroup-name ng --node-role arn:aws:iam::000000000000:role/eks --subnets $SUBNETS --scaling-config minSize=2,maxSize=3,desiredSize=2 --instance-types t3.small >/dev/null
timeout 60 aws eks wait nodegroup-active --cluster-name c1 --nodegroup-name ng
echo "  cluster and nodes active in $(( $(date +%s) - T0 )) s"
aws eks update-kubeconfig --name c1 --kubeconfig "$KUBECONFIG" >/dev/null
two_ready() { [ "$(kubectl get nodes --no-headers | grep -c ' Ready')" = 2 ]; }; eventually 30 two_ready
[ "$(kubectl get nodes -o jsonpath='{.items[*].metadata.labels.topology\.kubernetes\.io/zone}' | tr ' ' '\n' | sort -u | wc -l)" -ge 2 ] || fail "nodes are not spread over zones"

step "who am I: the IAM principal, through get-token"
has "whoami" arn:aws "$(kubectl auth whoami -o yaml)"
want "creator is admin" yes "$(kubectl auth can-i '*' '*')"

step "deployment, rollout, logs, exec, copy, port-forward"
cat > "$WORK/app.yaml" <<Y
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: "hello from a config map\n"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: init, image: $BB, command: [sh, -c, "echo \$HOSTNAME > /init/who"], volumeMounts: [{name: work, mountPath: /init}]}]
      containers:
      - name: web
        image: $BB
        command: [sh, -c, "echo started; cp /init/who /srv/who; cp /page/index.html /srv/; exec httpd -f -p 8080 -h /srv"]
        env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1}
        resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {memory: 32Mi}}
        volumeMounts: [{name: page, mountPath: /page}, {name: work, mountPath: /init}, {name: srv, mountPath: /srv}]
      volumes: [{name: page, configMap: {name: page}}, {name: work, emptyDir: {}}, {name: srv, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
Y
kubectl apply -f "$WORK/app.yaml" >/dev/null
kubectl rollout status deployment/web --timeout=60s >/dev/null
want "applied twice is unchanged" 3 "$(kubectl apply -f "$WORK/app.yaml" | grep -c unchanged)"
POD=$(kubectl get pods -l app=web -o name | sed -n 1p)
want "logs" started "$(kubectl logs "$POD")"
has "downward" ip- "$(kubectl exec "$POD" -- sh -c 'echo $NODE')"
want "exec status" 4 "$(kubectl exec "$POD" -- sh -c 'exit 4' >/dev/null 2>&1; echo $?)"
echo copied > "$WORK/f"; kubectl cp "$WORK/f" "${POD#pod/}:/tmp/f"; want "cp" copied "$(kubectl exec "$POD" -- cat /tmp/f)"
kubectl port-forward "$POD" $((PORT+1)):8080 >/dev/null & PF=$!
forwarded() { [ "$(curl -sf http://127.0.0.1:$((PORT+1))/index.html)" = "hello from a config map" ]; }; eventually 10 forwarded; kill $PF; wait $PF 2>/dev/null || true

step "service address and DNS spread over the copies"
probe() { kubectl get pod probe >/dev/null 2>&1 || kubectl run probe --image "$BB" --restart=Never -- sh -c 'sleep 3600' >/dev/null; kubectl wait --for=condition=Ready pod/probe --timeout=30s >/dev/null; }; probe
HOSTS=$(kubectl exec probe -- sh -c 'for i in $(seq 40); do wget -q -O- http://web.default.svc.cluster.local/who; done' | sort -u | wc -l); want "backends seen" 3 "$HOSTS"

step "scale, update, roll back, heal"
kubectl scale deployment/web --replicas=5 >/dev/null; kubectl rollout status deployment/web --timeout=60s >/dev/null
kubectl set env deployment/web VERSION=2 >/dev/null; kubectl rollout status deployment/web --timeout=90s >/dev/null
want "revisions" 2 "$(kubectl rollout history deployment/web | grep -cE '^[0-9]')"
kubectl rollout undo deployment/web >/dev/null; kubectl rollout status deployment/web --timeout=90s >/dev/null
V=$(kubectl get pods -l app=web -o name | sed -n 1p); kubectl delete "$V" --wait=true >/dev/null
healed() { [ "$(kubectl get deployment web -o jsonpath='{.status.readyReplicas}')" = 5 ]; }; eventually 30 healed
NODE=$(kubectl get nodes -o name | sed -n 1p); kubectl drain "${NODE#node/}" --ignore-daemonsets --force --delete-emptydir-data --timeout=60s >/dev/null
want "nothing left on the drained node" 0 "$(kubectl get pods -l app=web --field-selector "spec.nodeName=${NODE#node/}" --no-headers 2>/dev/null | wc -l)"; kubectl uncordon "${NODE#node/}" >/dev/null; probe

step "jobs, cron jobs, stateful and daemon sets"
kubectl create job j --image "$BB" -- sh -c 'echo done' >/dev/null; kubectl wait --for=condition=Complete job/j --timeout=30s >/dev/null; want "job log" done "$(kubectl logs job/j)"
kubectl apply -f - >/dev/null <<Y
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: $BB, command: [sh, -c, "test -e /d/id || hostname > /d/id; sleep 3600"], volumeMounts: [{name: d, mountPath: /d}]}]}
  volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Mi}}}}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 1}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ds}
spec:
  selector: {matchLabels: {app: ds}}
  template:
    metadata: {labels: {app: ds}}
    spec: {containers: [{name: ds, image: $BB, command: [sleep, "3600"]}]}
Y
kubectl rollout status statefulset/db --timeout=60s >/dev/null; kubectl rollout status daemonset/ds --timeout=60s >/dev/null
want "daemon pods" 2 "$(kubectl get pods -l app=ds --no-headers | grep -c Running)"
kubectl delete pod db-0 --wait=true >/dev/null; reborn() { kubectl wait --for=condition=Ready pod/db-0 --timeout=5s; }; eventually 30 reborn; want "volume follows the identity" db-0 "$(kubectl exec db-0 -- cat /d/id)"
has "headless names" "Address" "$(kubectl exec probe -- nslookup db-1.db.default.svc.cluster.local 2>&1)"

step "access control says no"
kubectl create serviceaccount ro >/dev/null; kubectl create role r --verb=get,list --resource=pods >/dev/null; kubectl create rolebinding rb --role=r --serviceaccount=default:ro >/dev/null
TOKEN=$(kubectl create token ro); K="kubectl --kubeconfig=/dev/null --server=$(kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}') --insecure-skip-tls-verify --token=$TOKEN"
$K get pods >/dev/null; refuses Forbidden $K get secrets; refuses Forbidden $K delete pod probe
refuses Unauthorized kubectl --kubeconfig=/dev/null --server="$(kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}')" --insecure-skip-tls-verify --token=wrong get pods
refuses 'unknown field "spec.replica"' kubectl create -f - <<<'{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"},"spec":{"replica":1,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}'
refuses Invalid kubectl create -f - <<<'{"apiVersion":"v1","kind":"Service","metadata":{"name":"BAD_NAME"},"spec":{"ports":[{"port":99999}]}}'

step "explain, server-side apply, diff, custom resources"
has explain "desired" "$(kubectl explain deployment.spec.replicas)"
kubectl apply --server-side --field-manager=a -f - >/dev/null <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"k":"1"}}'
refuses conflict kubectl apply --server-side --field-manager=b -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"k":"2"}}'

step "kill -9 of the daemon: pods keep running; the cluster comes back as it was"
BEFORE=$(kubectl get pods -o name | sort); kill_daemons; sleep 1; up
back() { [ "$(kubectl get pods -o name | sort)" = "$BEFORE" ] && two_ready; }; eventually 30 back
want "no restarts" 0 "$(kubectl get pods -l app=web -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}' | tr ' ' '\n' | awk '{s+=$1} END {print s+0}')"

step "delete, and leave nothing"
aws eks delete-nodegroup --cluster-name c1 --nodegroup-name ng >/dev/null; timeout 90 aws eks wait nodegroup-deleted --cluster-name c1 --nodegroup-name ng
aws eks delete-cluster --name c1 >/dev/null; timeout 60 aws eks wait cluster-deleted --name c1
down
if mount | grep -q "$DATA"; then fail "mounts left"; fi
if pgrep -f "$DATA" >/dev/null; then fail "processes left"; fi
