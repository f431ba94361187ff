#!/bin/sh
# Two kind clusters, kind-a and kind-b, with load balancers, the mesh of this program in both, and the images of the tests:
# what CI runs make e2e on. Usage: make e2e-kind. Needs docker, kind, kubectl and pulumi, and 8 GiB of memory.
set -eu
cd "$(dirname "$0")/../.."

images=localhost/e2e
metallb=https://raw.githubusercontent.com/metallb/metallb/v0.15.2/config/manifests/metallb-native.yaml

for cluster in a b; do
  kind create cluster --name "$cluster" --wait 3m
done

# Both are in docker's network "kind", a /16: the end of it is for load balancers, one range for each cluster.
subnet=$(docker network inspect kind --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}' | grep -F . | head -1)
range=${subnet%.*.*}.255
balance() {
  kubectl --context "kind-$1" apply --filename "$metallb"
  kubectl --context "kind-$1" --namespace metallb-system rollout status deployment/controller --timeout 3m
  kubectl --context "kind-$1" --namespace metallb-system rollout status daemonset/speaker --timeout 3m
  kubectl --context "kind-$1" apply --filename - <<YAML
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: kind, namespace: metallb-system }
spec: { addresses: ["$2"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: kind, namespace: metallb-system }
YAML
}
balance a "$range.10-$range.49"
balance b "$range.60-$range.99"

make e2e-images IMAGES="$images" PUSH=
for cluster in a b; do
  kind load docker-image --name "$cluster" "$images/user-service:v1" "$images/user-service:v2" "$images/client:1"
done

# In the backend of make e2e (test/lab/target.ts). The kubeconfig's URLs lead to this machine, where no istiod reaches them.
mkdir -p .e2e/state
printf e2e > .e2e/passphrase
export PULUMI_BACKEND_URL="file://$PWD/.e2e/state" PULUMI_CONFIG_PASSPHRASE_FILE="$PWD/.e2e/passphrase"
api_server() {
  docker inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' "$1-control-plane"
}
pulumi stack init e2e-mesh --no-select
cat >> Pulumi.e2e-mesh.yaml <<YAML
config:
  istio-canary:mesh:
    id: e2e-mesh
    istioVersion: 1.31.0
    values: { istiod: { resources: { requests: { cpu: 100m, memory: 256Mi } } } }
  istio-canary:clusters:
    - { name: cluster-a, network: network-a, context: kind-a, apiServer: "https://$(api_server a):6443" }
    - { name: cluster-b, network: network-b, context: kind-b, apiServer: "https://$(api_server b):6443" }
YAML
pulumi up --stack e2e-mesh --yes --non-interactive
