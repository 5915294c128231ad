# The one entry point for people and CI. `make help` lists what there is.

CARGO := cargo
CRD := crds/ordinalsets.yaml
CHART := $(CARGO) run --quiet --locked --package ordinal-tests --bin chart
CRDGEN := $(CARGO) run --quiet --locked --package ordinal-api --features schema --bin crdgen
E2E := $(CARGO) run --quiet --locked --package ordinal-tests --bin e2e --
# Only what stands on the command line: a forgotten KUBECONFIG must not turn a tour into a change of production.
GIVEN := $(if $(filter command line,$(origin KUBECONFIG)),--kubeconfig $(KUBECONFIG))

.PHONY: help demo test unit exhaustive vectors live live-one parity campaign fuzz faults faults-sample mutants soak fuzz-input bench bench-plan bench-readme idle-memory record-adoption lint crds chart chart-test upgrade-test build install-plugin krew image kubia-image e2e e2e-can e2e-deps e2e-clean e2e-kind e2e-minikube control-plane clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: control-plane ## Tour of a living set; KUBECONFIG=… on the command line takes that cluster instead of its own
	@$(CARGO) build --locked --package ordinal --package ordinal-tests --bins
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin demo -- $(GIVEN)

# The built-in controller of an older Kubernetes has other rules than those that we are compared with.
test: unit vectors live faults-sample chart-test $(if $(KUBERNETES),,parity campaign) ## All tests; make exhaustive takes a minute more; KUBERNETES=1.34: against the oldest release

unit: ## Tests without a cluster, in seconds
	$(CARGO) test --locked --workspace --lib --bins
	$(CARGO) test --locked --package ordinal-plan --test rules
	$(CARGO) test --locked --package ordinal-api --features schema

exhaustive: ## Every interleaving of sets of up to 3 replicas; make unit has a part of it
	EXHAUSTIVE=1 $(CARGO) test --locked --package ordinal-sim every_interleaving -- --nocapture

vectors: ## Decisions of the built-in controller against the planner's; VECTORS=file takes another file
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin vectors -- $(VECTORS)

live: control-plane ## Tests against a real API server
	$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	$(CARGO) build --quiet --locked --package kubectl-ordinal --bin kubectl-ordinal
	$(CARGO) test --locked --package ordinal-tests --test live -- --test-threads=6

live-one: control-plane ## One live test, by any part of its name: make live-one TEST=canary
	$(CARGO) test --locked --package ordinal-tests --test live -- $(TEST)

bench: control-plane ## Beside the built-in controller: time, calls, CPU, memory; a part: ARGS="--only create-10x100 --repetitions 1"
	@$(CARGO) run --quiet --locked --release --package ordinal-tests --bin bench -- $(ARGS)
	@$(if $(ARGS),,$(MAKE) --no-print-directory bench-plan)

bench-plan: ## What plan() costs, by situation and number of pods
	$(CARGO) bench --locked --package ordinal-sim --bench plan

bench-readme: ## Make the README's table from the newest results of make bench, or from RESULTS=file
	@$(CARGO) run --quiet --locked --release --package ordinal-tests --bin bench -- --readme $(RESULTS)

parity: control-plane ## The same as StatefulSet and as OrdinalSet, compared; ARGS="--half manifests --only probe" for a part
	@$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin parity -- $(ARGS)

campaign: control-plane ## A thousand changes of sets, good and bad, of one seed, each looked at from all sides
	@$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin campaign -- --seed 1

fuzz: control-plane ## The same by chance; SEED=… STEPS=… (5000), and WALK=… for one walk alone
	@$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin campaign -- --steps $(or $(STEPS),5000) $(if $(SEED),--seed $(SEED)) $(if $(WALK),--walk $(WALK))

faults: control-plane ## All fault plans on a real API server, about forty minutes; PLAN="W3 7:crash-after" for one, SAMPLE=100 for some
	@$(CARGO) run --quiet --locked --release --package ordinal-tests --bin faults -- $(if $(PLAN),--plan "$(PLAN)") $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

# Another one every day.
faults-sample: control-plane
	@$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin faults -- --sample 36 --quiet 5

mutants: control-plane ## Deliberate defects, one at a time, each of which the tests must find; ONLY=part of its description
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin mutants -- $(if $(ONLY),--only "$(ONLY)")

plan-mutants: ## Every small change of the planner that cargo-mutants knows, and which of them no test of its notices; an hour
	@tests/plan-mutants.sh

soak: control-plane ## Fifty sets at a time live and die for a while: memory and connections afterwards; ROUNDS=30
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin soak -- $(if $(ROUNDS),--rounds $(ROUNDS))

fuzz-input: ## Whatever others write is read without a panic, by cargo-fuzz and so by a nightly compiler; SECONDS=60 for each target
	@fuzz/run.sh $(or $(SECONDS),60)

idle-memory: control-plane ## Resident memory of the released operator with nothing to do
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin idle-memory

record-adoption: control-plane ## Take a StatefulSet over and give it back, and write what a person sees into docs/migration.md
	@$(CARGO) build --quiet --locked --package ordinal --package kubectl-ordinal --bins
	@$(CARGO) run --quiet --locked --package ordinal-tests --bin record-adoption

lint: ## Format, clippy, generated files, and the rules of the house
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --features ordinal-api/schema -- --deny warnings
	.ci/house-rules
	$(CRDGEN) | diff $(CRD) - || { echo "$(CRD) is not up to date: run make crds"; exit 1; }
	$(CHART) check

crds: ## Generate the CRD from the Rust types; then make chart
	@crd=$$($(CRDGEN)) && printf '%s\n' "$$crd" > $(CRD)

upgrade-test: control-plane ## An earlier operator is replaced by this one amid a roll-out; FROM=commit, the newest tag or the commit before
	$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	ORDINAL_UPGRADE_FROM=$(FROM) $(CARGO) test --locked --package ordinal-tests --test upgrade

chart: ## Make the plain manifests and the table of values from the chart
	@$(CHART) render

chart-test: control-plane ## The chart with the real helm: templates, refusals, install, upgrade, roll back, uninstall
	$(CARGO) build --quiet --locked --package ordinal --bin ordinal
	$(CARGO) test --locked --package ordinal-tests --test chart

build: ## The operator, as it is released
	$(CARGO) build --locked --release --package ordinal
	@echo "built $(or $(CARGO_TARGET_DIR),target)/release/ordinal"

install-plugin: ## kubectl ordinal, where cargo puts programs, or into ROOT/bin
	@root=$(or $(ROOT),$${CARGO_INSTALL_ROOT:-$${CARGO_HOME:-$$HOME/.cargo}}) && \
	$(CARGO) install --locked --path src/kubectl --root "$$root" && \
	ln -sf kubectl-ordinal "$$root/bin/kubectl_complete-ordinal"

krew: ## An archive of kubectl ordinal and its manifest for krew, in target/krew; URL=where the archives will be
	@deploy/krew.sh $(URL)

image: ## The operator's image, by docker, podman or buildah; NAME=… and ARCH=amd64|arm64 if not this machine's
	@deploy/image.sh ordinal $(or $(NAME),"") $(ARCH)

kubia-image: ## The image of examples/kubia, likewise
	@deploy/image.sh kubia $(or $(NAME),"") $(ARCH)

e2e: ## Stories on real nodes: in the cluster of KUBECONFIG if it is set, else in one made for it, as root on Linux; ARGS="--only etcd" for a part
	@$(E2E) run $(ARGS)

# Says in sentences why not, or nothing.
e2e-can:
	@$(E2E) missing

e2e-deps: ## Install what make e2e needs from the system, with apt-get
	@packages=$$($(E2E) packages) && tests/e2e/deps.sh $$packages

e2e-clean: ## Remove what an interrupted make e2e has left, in the cluster of KUBECONFIG or on this machine
	@$(E2E) clean

e2e-kind: ## The stories in a cluster that kind makes for it
	@tests/e2e/borrowed.sh kind $(ARGS)

e2e-minikube: ## The stories in a cluster that minikube makes for it
	@tests/e2e/borrowed.sh minikube $(ARGS)

control-plane: ## Build etcd, kube-apiserver and the others into a cache, once
	@tests/control-plane/build.sh >/dev/null

clean: ## Remove what was built here; the control plane's cache stays
	$(CARGO) clean
