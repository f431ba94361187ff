module istio-canary/lab/toolchain/echo

go 1.26.0
