# etcd as it is built for the control plane.
FROM scratch
ARG TARGETARCH
COPY ${TARGETARCH}/etcd /etcd
ENTRYPOINT ["/etcd"]
